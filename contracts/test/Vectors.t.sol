// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IToken} from "../src/IToken.sol";
import {TokenSetup} from "./TokenSetup.sol";
import {vm} from "./Vm.sol";

/// @dev vectors.json was made with eth-account, so it says what the signatures ought to be, not what this contract
/// makes of them. The same file holds Python's signer to them.
contract VectorsTest is TokenSetup {
    string private _json;
    address private _signer;

    function setUp() public override {
        _json = vm.readFile("test/vectors.json");
        _signer = vm.parseJsonAddress(_json, ".signer");
        vm.warp(NOW);
        vm.chainId(vm.parseJsonUint(_json, ".domain.chainId"));
        // The signer's first deployment lands at the address that the vectors name.
        vm.prank(_signer);
        token = deploy(vm.parseJsonString(_json, ".domain.name"));
        equal(address(token), vm.parseJsonAddress(_json, ".domain.verifyingContract"), "contract");
        give(_signer, 1_000_000_000);
    }

    function test_the_domain_is_the_vectors() public view {
        equal(token.DOMAIN_SEPARATOR(), vm.parseJsonBytes32(_json, ".domainSeparator"), "separator");
    }

    function test_the_vectors_transfer_settles() public {
        IToken.Authorization memory a = _authorization(".transfer");
        equal(digest(TRANSFER, a), vm.parseJsonBytes32(_json, ".transfer.digest"), "digest");

        equal(settle(a), 1, "settled");
        equal(token.balanceOf(a.to), a.value, "payee");
    }

    function test_the_vectors_largest_numbers_are_signed_too() public {
        IToken.Authorization memory a = _authorization(".transferOfTheLargestNumbers");
        equal(digest(TRANSFER, a), vm.parseJsonBytes32(_json, ".transferOfTheLargestNumbers.digest"), "digest");

        // Only a valid signature gets as far as the balance, and spends the nonce.
        settle(a);
        equal(token.authorizationState(a.from, a.nonce), true, "nonce");
    }

    function test_the_vectors_receive_settles() public {
        IToken.Authorization memory a = _authorization(".receive");
        equal(digest(RECEIVE, a), vm.parseJsonBytes32(_json, ".receive.digest"), "digest");

        vm.prank(a.to);
        token.receiveWithAuthorization(a.from, a.to, a.value, a.validAfter, a.validBefore, a.nonce, a.signature);
        equal(token.balanceOf(a.to), a.value, "payee");
    }

    function test_the_vectors_cancellation_cancels() public {
        bytes32 nonce = vm.parseJsonBytes32(_json, ".cancel.message.nonce");
        equal(cancelDigest(_signer, nonce), vm.parseJsonBytes32(_json, ".cancel.digest"), "digest");

        token.cancelAuthorization(_signer, nonce, vm.parseJsonBytes(_json, ".cancel.signature"));
        equal(token.authorizationState(_signer, nonce), true, "nonce");
    }

    function test_the_vectors_permit_allows() public {
        address spender = vm.parseJsonAddress(_json, ".permit.message.spender");
        uint256 value = vm.parseJsonUint(_json, ".permit.message.value");
        uint256 deadline = vm.parseJsonUint(_json, ".permit.message.deadline");
        bytes32 hash = digest(keccak256(abi.encode(PERMIT, _signer, spender, value, 0, deadline)));
        equal(hash, vm.parseJsonBytes32(_json, ".permit.digest"), "digest");

        bytes memory signed = vm.parseJsonBytes(_json, ".permit.signature");
        bytes32 r;
        bytes32 s;
        assembly ("memory-safe") {
            r := mload(add(signed, 0x20))
            s := mload(add(signed, 0x40))
        }
        token.permit(_signer, spender, value, deadline, uint8(signed[64]), r, s);
        equal(token.allowance(_signer, spender), value, "allowance");
    }

    function _authorization(string memory at) private view returns (IToken.Authorization memory) {
        return IToken.Authorization({
            from: vm.parseJsonAddress(_json, string.concat(at, ".message.from")),
            to: vm.parseJsonAddress(_json, string.concat(at, ".message.to")),
            value: vm.parseJsonUint(_json, string.concat(at, ".message.value")),
            validAfter: vm.parseJsonUint(_json, string.concat(at, ".message.validAfter")),
            validBefore: vm.parseJsonUint(_json, string.concat(at, ".message.validBefore")),
            nonce: vm.parseJsonBytes32(_json, string.concat(at, ".message.nonce")),
            signature: vm.parseJsonBytes(_json, string.concat(at, ".signature"))
        });
    }
}
