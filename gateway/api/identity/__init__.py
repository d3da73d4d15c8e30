"""Routes about who somebody is.

handles.py    what is public of a handle; claim one
sign_up.py    a handle, its first passkey and a session, in one step
sign_in.py    the bytes of passkeys and sessions, read and shown
sessions.py   sign in, see one's sessions, end them
passkeys.py   passkeys and recovery codes
api_keys.py   API keys: made, listed, replaced, revoked
shapes.py     what comes in and goes out
views.py      how answers are made from the packages' own values
examples.py   examples of both in the OpenAPI document
addresses.py  bind an address of one's own
"""
