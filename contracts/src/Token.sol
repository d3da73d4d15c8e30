// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

import {IToken} from "./IToken.sol";

/// @dev Pausable stands last among the bases, so that its flag and `_frozenAccounts` share a slot: one read tells a
/// batch that nothing is paused and nobody frozen.
contract Token is IToken, ERC20Permit, ERC3009, AccessControl, Pausable {
    /// @dev Bits of 256 nonces. A struct, so that a pointer to it can be held: its place is hashed once per payment.
    struct NonceWord {
        uint256 bits;
    }

    bytes32 public constant MINTER_ROLE = keccak256("MINTER_ROLE");
    bytes32 public constant RELAYER_ROLE = keccak256("RELAYER_ROLE");
    bytes32 public constant PAUSER_ROLE = keccak256("PAUSER_ROLE");
    bytes32 public constant FREEZER_ROLE = keccak256("FREEZER_ROLE");

    /// @dev What a contract wallet may burn to check one signature. Several ECDSA owners or one passkey with the P-256
    /// precompile fit well within it.
    uint256 private constant ERC1271_GAS = 100_000;

    uint8 private immutable _decimals;

    uint248 private _frozenAccounts;

    mapping(address account => bool) public frozen;
    mapping(bytes32 ref => bool) public minted;
    mapping(address authorizer => mapping(uint256 word => NonceWord)) private _nonceWords;

    constructor(string memory name, string memory symbol, uint8 decimals_, Roles memory roles)
        ERC20(name, symbol)
        ERC20Permit(name)
    {
        _decimals = decimals_;
        _grantRole(DEFAULT_ADMIN_ROLE, roles.admin);
        _grantRole(MINTER_ROLE, roles.minter);
        _grantRole(RELAYER_ROLE, roles.relayer);
        _grantRole(PAUSER_ROLE, roles.pauser);
        _grantRole(FREEZER_ROLE, roles.freezer);
    }

    /// @inheritdoc IToken
    function settle(Authorization[] calldata batch)
        external
        onlyRole(RELAYER_ROLE)
        whenNotPaused
        returns (uint256 settled)
    {
        // The same for every entry: no call below can change state.
        bytes32 domain = _domainSeparatorV4();
        bool someFrozen = _frozenAccounts != 0;

        for (uint256 i = 0; i < batch.length; ++i) {
            if (_settle(batch[i], domain, someFrozen)) ++settled;
        }
    }

    /// @inheritdoc IToken
    function mint(Mint[] calldata batch) external onlyRole(MINTER_ROLE) whenNotPaused returns (uint256 count) {
        for (uint256 i = 0; i < batch.length; ++i) {
            Mint calldata m = batch[i];

            bytes4 reason = _mintRefusal(m);
            if (reason != 0) {
                emit MintSkipped(m.ref, reason);
                continue;
            }

            minted[m.ref] = true;
            _mint(m.to, m.value);
            emit Minted(m.to, m.value, m.ref);
            ++count;
        }
    }

    /// @inheritdoc IToken
    function redeem(uint256 value) external {
        _redeem(_msgSender(), value);
    }

    /// @inheritdoc IToken
    function freeze(address account) external onlyRole(FREEZER_ROLE) {
        require(account != address(0) && account != address(this), AccountNotFreezable(account));
        require(!frozen[account], AccountFrozen(account));
        frozen[account] = true;
        ++_frozenAccounts;
        emit Frozen(account);
    }

    /// @inheritdoc IToken
    function unfreeze(address account) external onlyRole(FREEZER_ROLE) {
        require(frozen[account], AccountNotFrozen(account));
        frozen[account] = false;
        --_frozenAccounts;
        emit Unfrozen(account);
    }

    /// @inheritdoc IToken
    function pause() external onlyRole(PAUSER_ROLE) {
        _pause();
    }

    /// @inheritdoc IToken
    function unpause() external onlyRole(PAUSER_ROLE) {
        _unpause();
    }

    /// @inheritdoc IToken
    function transferWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external {
        bytes32 hash = keccak256(
            abi.encode(TRANSFER_WITH_AUTHORIZATION_TYPEHASH, from, to, value, validAfter, validBefore, nonce)
        );
        require(_isSignedBy(from, _hashTypedDataV4(hash), signature), ERC3009InvalidSignature());
        _transferWithAuthorization(from, to, value, validAfter, validBefore, nonce);
    }

    /// @inheritdoc IToken
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external {
        bytes32 hash = keccak256(
            abi.encode(RECEIVE_WITH_AUTHORIZATION_TYPEHASH, from, to, value, validAfter, validBefore, nonce)
        );
        require(_isSignedBy(from, _hashTypedDataV4(hash), signature), ERC3009InvalidSignature());
        require(to == _msgSender(), ERC20InvalidReceiver(to));
        _transferWithAuthorization(from, to, value, validAfter, validBefore, nonce);
    }

    /// @inheritdoc IToken
    function cancelAuthorization(address authorizer, bytes32 nonce, bytes calldata signature) external {
        bytes32 hash = keccak256(abi.encode(CANCEL_AUTHORIZATION_TYPEHASH, authorizer, nonce));
        require(_isSignedBy(authorizer, _hashTypedDataV4(hash), signature), ERC3009InvalidSignature());
        _cancelAuthorization(authorizer, nonce);
    }

    /// @inheritdoc ERC3009
    function authorizationState(address authorizer, bytes32 nonce) public view override returns (bool) {
        (NonceWord storage word, uint256 bit) = _nonceBit(authorizer, nonce);
        return word.bits & bit != 0;
    }

    /// @inheritdoc ERC20
    function decimals() public view override returns (uint8) {
        return _decimals;
    }

    /// @dev One entry of a batch. True when it moved money.
    function _settle(Authorization calldata a, bytes32 domain, bool someFrozen) private returns (bool) {
        (address from, address to, uint256 value, bytes32 nonce) = (a.from, a.to, a.value, a.nonce);
        (NonceWord storage word, uint256 bit) = _nonceBit(from, nonce);
        uint256 bits = word.bits;

        // Nothing has proved yet that `from` wants this now, so a refusal leaves the nonce alone.
        if (bits & bit != 0) return _skip(from, nonce, ERC3009UsedAuthorization.selector);
        if (!_isTimely(a.validAfter, a.validBefore)) {
            return _skip(from, nonce, ERC3009InvalidAuthorizationTime.selector);
        }
        if (!_isSignedBy(from, _digest(a, domain), a.signature)) {
            return _skip(from, nonce, ERC3009InvalidSignature.selector);
        }

        // It is signed and in time: from here on it ends, one way or the other.
        word.bits = bits | bit;

        bytes4 reason = _refusal(from, to, value, someFrozen);
        if (reason != 0) {
            emit AuthorizationCanceled(from, nonce);
            return _skip(from, nonce, reason);
        }

        emit AuthorizationUsed(from, nonce);
        // `_refusal` has made the checks of this contract's own `_update`; only OpenZeppelin's is left to do.
        if (to == address(this)) {
            super._update(from, address(0), value);
            emit Redeemed(from, value);
        } else {
            super._update(from, to, value);
        }
        return true;
    }

    function _skip(address from, bytes32 nonce, bytes4 reason) private returns (bool) {
        emit AuthorizationSkipped(from, nonce, reason);
        return false;
    }

    /// @dev Why `_transferOrRedeem` would revert, or zero when it will not.
    function _refusal(address from, address to, uint256 value, bool someFrozen) private view returns (bytes4) {
        if (to == address(0)) return ERC20InvalidReceiver.selector;
        if (someFrozen && (frozen[from] || frozen[to])) return AccountFrozen.selector;
        if (balanceOf(from) < value) return ERC20InsufficientBalance.selector;
        return 0;
    }

    /// @dev Why `_mint` would revert or must not be tried, or zero.
    function _mintRefusal(Mint calldata m) private view returns (bytes4) {
        if (m.ref == 0) return MintReferenceMissing.selector;
        if (minted[m.ref]) return MintAlreadyUsed.selector;
        if (m.to == address(0) || m.to == address(this)) return ERC20InvalidReceiver.selector;
        if (frozen[m.to]) return AccountFrozen.selector;
        if (m.value > type(uint256).max - totalSupply()) return MintTooLarge.selector;
        return 0;
    }

    /// @inheritdoc ERC3009
    function _transferWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce
    ) internal override {
        _checkValidity(validAfter, validBefore);
        _consumeNonce(from, nonce);
        emit AuthorizationUsed(from, nonce);
        _transferOrRedeem(from, to, value);
    }

    function _transferOrRedeem(address from, address to, uint256 value) private {
        if (to == address(this)) _redeem(from, value);
        else _transfer(from, to, value);
    }

    function _redeem(address from, uint256 value) private {
        _burn(from, value);
        emit Redeemed(from, value);
    }

    /// @dev Every change of a balance passes here. Zero, which stands for mints and burns, is never frozen.
    function _update(address from, address to, uint256 value) internal override whenNotPaused {
        require(to != address(this), ERC20InvalidReceiver(to));
        if (_frozenAccounts != 0) {
            require(!frozen[from], AccountFrozen(from));
            require(!frozen[to], AccountFrozen(to));
        }
        super._update(from, to, value);
    }

    /// @inheritdoc ERC3009
    function _consumeNonce(address authorizer, bytes32 nonce) internal override {
        (NonceWord storage word, uint256 bit) = _nonceBit(authorizer, nonce);
        uint256 bits = word.bits;
        require(bits & bit == 0, ERC3009UsedAuthorization(authorizer, nonce));
        word.bits = bits | bit;
    }

    function _nonceBit(address authorizer, bytes32 nonce) private view returns (NonceWord storage word, uint256 bit) {
        word = _nonceWords[authorizer][uint256(nonce) >> 8];
        bit = 1 << (uint256(nonce) & 0xff);
    }

    /// @dev Unix seconds alone, as EIP-3009 says: OpenZeppelin's second clock, of block numbers, is left out.
    function _checkValidity(uint256 validAfter, uint256 validBefore) internal view override {
        require(_isTimely(validAfter, validBefore), ERC3009InvalidAuthorizationTime(validAfter, validBefore));
    }

    function _isTimely(uint256 validAfter, uint256 validBefore) private view returns (bool) {
        return validAfter < block.timestamp && block.timestamp < validBefore;
    }

    /// @dev The EIP-712 digest of an entry. Its first six fields lie in calldata as they are hashed, so they are copied
    /// once, to memory that is not kept: a long batch would otherwise pay for ever more of it.
    function _digest(Authorization calldata a, bytes32 domain) private pure returns (bytes32) {
        bytes32 typehash = TRANSFER_WITH_AUTHORIZATION_TYPEHASH;
        bytes32 hash;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, typehash)
            calldatacopy(add(free, 0x20), a, 0xc0)
            hash := keccak256(free, 0xe0)
        }
        return MessageHashUtils.toTypedDataHash(domain, hash);
    }

    /// @dev A key first, so that a payer without code is never read for any: 2,600 gas. And the key of an account that
    /// delegates to code (EIP-7702) goes on signing for it.
    function _isSignedBy(address signer, bytes32 digest, bytes calldata signature) private view returns (bool) {
        (address recovered, ECDSA.RecoverError err,) = ECDSA.tryRecoverCalldata(digest, signature);
        if (err == ECDSA.RecoverError.NoError && recovered == signer) return true;
        return signer.code.length != 0 && _isAcceptedBy(signer, digest, signature);
    }

    /// @dev ERC-1271 with a limit to what the wallet can cost its batch: so much gas, and one word of return data.
    function _isAcceptedBy(address wallet, bytes32 digest, bytes calldata signature)
        private
        view
        returns (bool accepted)
    {
        bytes4 magic = IERC1271.isValidSignature.selector;
        assembly ("memory-safe") {
            // isValidSignature(bytes32,bytes), encoded after the free memory pointer and not kept.
            let free := mload(0x40)
            let padded := and(add(signature.length, 0x1f), not(0x1f))
            mstore(free, magic)
            mstore(add(free, 0x04), digest)
            mstore(add(free, 0x24), 0x40)
            mstore(add(free, 0x44), signature.length)
            mstore(add(add(free, 0x44), padded), 0)
            calldatacopy(add(free, 0x64), signature.offset, signature.length)

            let done := staticcall(ERC1271_GAS, wallet, free, add(0x64, padded), 0x00, 0x20)
            accepted := and(done, and(gt(returndatasize(), 0x1f), eq(mload(0x00), magic)))
        }
    }
}
