"""Private keys: encrypting them, signing with them, and the files that they lie in. Knows no database.

signer.py      the vault, which encrypts the wallets' keys; what signs a relayer's transactions
key_files.py   the files of master keys, the root key and relayers' keys
keystore.py    a key in a file that a password opens (Web3 Secret Storage)
"""
