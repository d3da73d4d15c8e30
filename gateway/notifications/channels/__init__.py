"""How people are reached: one file for each channel, behind one protocol.

channel.py   what a channel is, what it is given, and what can come of it   (pure)
email.py     e-mail, by SMTP
push.py      web push, to browsers

A new channel is a file here, its name in `CHANNELS` (vocabulary.py) and a line in `notification_channels`
(assembly.py). That a wallet's page shows every notice is not a channel: nothing is sent for it.
"""
