"""Private keys: encrypting them, signing with them, and the files that hold them. The package knows no database.

vault.py       encrypts the wallets' private keys under master keys, and signs with them
signer.py      signs a relayer's transactions
key_files.py   the files of master keys, the root key and relayers' keys
keystore.py    a key in a password-protected file (Web3 Secret Storage)
"""
