// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";

import {Token} from "../src/Token.sol";

/// @dev A wallet that is a contract: accepts what its owner's key has signed.
contract OwnedWallet is IERC1271 {
    address private immutable _owner;

    constructor(address owner) {
        _owner = owner;
    }

    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        bool signed =
            ecrecover(hash, uint8(signature[64]), bytes32(signature[0:32]), bytes32(signature[32:64])) == _owner;
        return signed ? IERC1271.isValidSignature.selector : bytes4(0);
    }
}

/// @dev Accepts everything: shows what the token itself still refuses.
contract OpenWallet is IERC1271 {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        return IERC1271.isValidSignature.selector;
    }
}

/// @dev Accepts, but only one signature, and only when the call is encoded to the byte, padding included.
contract ExactWallet is IERC1271 {
    bytes32 private immutable _expected;

    constructor(bytes memory expected) {
        _expected = keccak256(expected);
    }

    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        bytes memory exact = abi.encodeCall(IERC1271.isValidSignature, (hash, signature));
        bool same = keccak256(signature) == _expected && keccak256(msg.data) == keccak256(exact);
        return same ? IERC1271.isValidSignature.selector : bytes4(0);
    }
}

/// @dev Burns all the gas it gets.
contract BurningWallet is IERC1271 {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        while (true) {}
        return IERC1271.isValidSignature.selector;
    }
}

/// @dev Answers with the right word and as many bytes after it as its gas allows.
contract BombWallet {
    fallback() external {
        bytes4 magic = IERC1271.isValidSignature.selector;
        assembly {
            mstore(0, not(magic))
            return(0, 100000)
        }
    }
}

/// @dev Answers the four bytes alone, not a whole word.
contract ShortWallet {
    fallback() external {
        bytes4 magic = IERC1271.isValidSignature.selector;
        assembly {
            mstore(0, magic)
            return(0, 4)
        }
    }
}

/// @dev Answers the right four bytes with something after them in the word.
contract DirtyWallet {
    fallback() external {
        bytes4 magic = IERC1271.isValidSignature.selector;
        assembly {
            mstore(0, or(magic, 1))
            return(0, 32)
        }
    }
}

/// @dev Refuses by reverting, with the right word as its reason.
contract RevertingWallet {
    fallback() external {
        bytes4 magic = IERC1271.isValidSignature.selector;
        assembly {
            mstore(0, magic)
            revert(0, 32)
        }
    }
}

/// @dev Accepts if it can spend its own tokens while it is asked.
contract ReentrantWallet {
    fallback() external {
        Token(msg.sender).transfer(address(1), 1);
        bytes4 magic = IERC1271.isValidSignature.selector;
        assembly {
            mstore(0, magic)
            return(0, 32)
        }
    }
}
