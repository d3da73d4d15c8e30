"""How people are reached: one file for each channel, behind one protocol.

channel.py   the protocol, its messages and outcomes          (pure)
email.py     e-mail, by SMTP
push.py      web push, to browsers

A new channel is a file here, its name in `CHANNELS` (vocabulary.py) and a line in `notification_channels`
(assembly.py). A wallet's page shows every notification without a channel: nothing is sent for it.
"""
