"""The settings, read once. Nothing else in the gateway reads `os.environ`.

settings.py     the table of all settings: name, default, meaning
config.py       the configuration: a field per setting, and how each is parsed
values.py       one parser per kind of value: numbers, URLs, networks     (pure)
mail.py         the mail server and the sender                            (pure)
assets.py       currencies and tokens                                     (pure)
environment.py  the variables: the environment, the configuration file, files of secrets
"""
