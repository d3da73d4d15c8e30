// Hardhat's own chain, as it comes: a block for each transaction, and none in between.
module.exports = { networks: { hardhat: { chainId: 31337 } } };
