"""What a web push is made of. It is sent by channels/push.py.

    encryption.py    a push's content, encrypted for one browser (RFC 8291)
    vapid.py         the gateway's key, and its name to push services (RFC 8292)
    subscription.py  what a browser hands in, checked

All of it is pure. A push service is a stranger: it learns the gateway's name and when something is sent, never what.
"""
