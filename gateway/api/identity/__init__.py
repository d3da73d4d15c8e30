"""Routes for identity: handles, sign-up, sign-in and credentials.

handles.py    look up a handle; claim one
sign_up.py    a handle, its first passkey and a session, in one step
sign_in.py    parse and show passkeys' data and sessions
sessions.py   sign in, list sessions, end them
passkeys.py   passkeys and recovery codes
api_keys.py   create, list, replace and revoke API keys
shapes.py     the types of requests and answers
views.py      functions that make answers from the packages' values
examples.py   examples of both in the OpenAPI document
addresses.py  bind the owner's own address
"""
