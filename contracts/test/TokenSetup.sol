// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IToken} from "../src/IToken.sol";
import {Token} from "../src/Token.sol";
import {Vm, vm} from "./Vm.sol";

/// @dev The setting of every test: a token, one holder per role, and people with keys. Digests are made here from the
/// EIPs' text, not from the contract's constants, so that the tests compare the two.
abstract contract TokenSetup {
    bytes32 internal constant TRANSFER = keccak256(
        "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );
    bytes32 internal constant RECEIVE = keccak256(
        "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );
    bytes32 internal constant CANCEL = keccak256("CancelAuthorization(address authorizer,bytes32 nonce)");
    bytes32 internal constant PERMIT =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");

    bytes32 internal constant TRANSFERRED = keccak256("Transfer(address,address,uint256)");
    bytes32 internal constant USED = keccak256("AuthorizationUsed(address,bytes32)");
    bytes32 internal constant CANCELED = keccak256("AuthorizationCanceled(address,bytes32)");
    bytes32 internal constant SKIPPED = keccak256("AuthorizationSkipped(address,bytes32,bytes4)");
    bytes32 internal constant MINTED = keccak256("Minted(address,uint256,bytes32)");
    bytes32 internal constant MINT_SKIPPED = keccak256("MintSkipped(bytes32,bytes4)");
    bytes32 internal constant REDEEMED = keccak256("Redeemed(address,uint256)");

    uint256 internal constant NOW = 1_800_000_000;
    uint256 internal constant ALICE = 0xA11CE;
    uint256 internal constant BOB = 0xB0B;

    address internal immutable admin = address(0xAD);
    address internal immutable minter = address(0x31);
    address internal immutable relayer = address(0x2E);
    address internal immutable pauser = address(0x9A);
    address internal immutable freezer = address(0xF2);
    address internal immutable alice = vm.addr(ALICE);
    address internal immutable bob = vm.addr(BOB);

    Token internal token;
    uint256 private _references;

    function setUp() public virtual {
        vm.warp(NOW);
        token = deploy("Example Dollar");
    }

    /// @dev Deploys what the sources compile to with the settings of foundry.toml. The tests are compiled without the
    /// optimizer.
    function deploy(string memory name) internal returns (Token deployed) {
        IToken.Roles memory roles = IToken.Roles(admin, minter, relayer, pauser, freezer);
        bytes memory code = bytes.concat(vm.getCode("out/Token.sol/Token.json"), abi.encode(name, "USDX", 6, roles));
        assembly {
            deployed := create(0, add(code, 32), mload(code))
        }
        require(address(deployed) != address(0), "not deployed");
    }

    // What people do.

    function give(address to, uint256 value) internal {
        IToken.Mint[] memory batch = new IToken.Mint[](1);
        batch[0] = IToken.Mint(to, value, bytes32(++_references));
        vm.prank(minter);
        require(token.mint(batch) == 1, "not minted");
    }

    function freeze(address account) internal {
        vm.prank(freezer);
        token.freeze(account);
    }

    function unfreeze(address account) internal {
        vm.prank(freezer);
        token.unfreeze(account);
    }

    function pause() internal {
        vm.prank(pauser);
        token.pause();
    }

    function settle(IToken.Authorization[] memory batch) internal returns (uint256) {
        vm.prank(relayer);
        return token.settle(batch);
    }

    function settle(IToken.Authorization memory a) internal returns (uint256) {
        return settle(one(a));
    }

    function send(IToken.Authorization memory a) internal {
        token.transferWithAuthorization(a.from, a.to, a.value, a.validAfter, a.validBefore, a.nonce, a.signature);
    }

    // What they sign.

    /// @dev A payment good for the next hour, signed by `key`.
    function pay(uint256 key, address to, uint256 value, uint256 nonce)
        internal
        view
        returns (IToken.Authorization memory a)
    {
        a = IToken.Authorization(vm.addr(key), to, value, NOW - 1, NOW + 3600, bytes32(nonce), "");
        a.signature = signature(key, digest(TRANSFER, a));
    }

    function digest(bytes32 typehash, IToken.Authorization memory a) internal view returns (bytes32) {
        return digest(keccak256(abi.encode(typehash, a.from, a.to, a.value, a.validAfter, a.validBefore, a.nonce)));
    }

    function cancelDigest(address authorizer, bytes32 nonce) internal view returns (bytes32) {
        return digest(keccak256(abi.encode(CANCEL, authorizer, nonce)));
    }

    function digest(bytes32 structHash) internal view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Example Dollar"),
                keccak256("1"),
                block.chainid,
                address(token)
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    function signature(uint256 key, bytes32 hash) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, hash);
        return abi.encodePacked(r, s, v);
    }

    function one(IToken.Authorization memory a) internal pure returns (IToken.Authorization[] memory batch) {
        batch = new IToken.Authorization[](1);
        batch[0] = a;
    }

    function two(IToken.Authorization memory a, IToken.Authorization memory b)
        internal
        pure
        returns (IToken.Authorization[] memory batch)
    {
        batch = new IToken.Authorization[](2);
        (batch[0], batch[1]) = (a, b);
    }

    function topic(address account) internal pure returns (bytes32) {
        return bytes32(uint256(uint160(account)));
    }

    // What must be.

    /// @dev The entry moves nothing, says `reason`, and its nonce is spent after it exactly when `finally`.
    function expectSkip(IToken.Authorization memory a, bytes4 reason, bool finally) internal {
        uint256 payer = token.balanceOf(a.from);
        uint256 payee = token.balanceOf(a.to);
        bool before = token.authorizationState(a.from, a.nonce);
        vm.recordLogs();

        uint256 settled = settle(a);

        Vm.Log[] memory logs = vm.getRecordedLogs();
        equal(settled, 0, "settled");
        equal(logs.length, finally ? 2 : 1, "logs");
        if (finally) expectLog(logs[0], CANCELED, topic(a.from), a.nonce, "");
        expectLog(logs[logs.length - 1], SKIPPED, topic(a.from), a.nonce, abi.encode(reason));
        equal(token.authorizationState(a.from, a.nonce), before || finally, "nonce");
        equal(token.balanceOf(a.from), payer, "payer");
        equal(token.balanceOf(a.to), payee, "payee");
    }

    function expectLog(Vm.Log memory log, bytes32 name, bytes32 first, bytes32 second, bytes memory data)
        internal
        view
    {
        equal(log.emitter, address(token), "emitter");
        equal(log.topics[0], name, "event");
        equal(log.topics[1], first, "first topic");
        if (log.topics.length > 2) equal(log.topics[2], second, "second topic");
        equal(keccak256(log.data), keccak256(data), "data");
    }

    function equal(uint256 a, uint256 b, string memory what) internal pure {
        require(a == b, what);
    }

    function equal(bytes32 a, bytes32 b, string memory what) internal pure {
        require(a == b, what);
    }

    function equal(address a, address b, string memory what) internal pure {
        require(a == b, what);
    }

    function equal(bool a, bool b, string memory what) internal pure {
        require(a == b, what);
    }
}
