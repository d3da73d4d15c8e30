// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title A fiat-backed token whose payments are signed messages, settled many at a time.
///
/// @notice What is true of it:
///   - the supply is the sum of all balances; only a minter raises it, only a redemption lowers it;
///   - an authorization (EIP-3009) moves money at most once, whoever sends it and however often;
///   - a mint's reference is used at most once;
///   - a frozen account neither pays nor receives, by any way; while paused, nobody does;
///   - a batch never fails because of one of its entries: a bad one is skipped, and the log says why.
///
/// It is also an ERC-20 (with EIP-2612 permits), an EIP-3009 token and an AccessControl, all of them OpenZeppelin's.
/// Tokens sent to the token's own address by an authorization are redeemed; sent there in any other way they are
/// refused, so that none can be lost there.
///
/// The nonces of EIP-3009 are kept as bits: `nonce >> 8` names a word of the payer's and `nonce & 0xff` a bit in it.
/// Nonces handed out in order therefore share a storage slot, 256 of them, and cost 17,100 gas less than random ones,
/// which still work.
interface IToken {
    /// @notice A payment signed by its payer: EIP-3009's TransferWithAuthorization, and the signature over it.
    /// @param from The payer.
    /// @param to The payee, or the token's own address to redeem.
    /// @param value The amount, in the token's smallest unit.
    /// @param validAfter The payment may settle in a block whose timestamp is above this (Unix seconds), …
    /// @param validBefore … and below this.
    /// @param nonce Chosen by the payer, used once.
    /// @param signature 65 bytes (r, s, v) with a low s; for a contract wallet, whatever its ERC-1271 check takes.
    struct Authorization {
        address from;
        address to;
        uint256 value;
        uint256 validAfter;
        uint256 validBefore;
        bytes32 nonce;
        bytes signature;
    }

    /// @notice Tokens to be issued against fiat received.
    /// @param to Who gets them.
    /// @param value How many, in the token's smallest unit.
    /// @param ref Names the fiat received. Not zero, and used once.
    struct Mint {
        address to;
        uint256 value;
        bytes32 ref;
    }

    /// @notice Who holds which role from the start. The admin grants and revokes them afterwards.
    struct Roles {
        address admin;
        address minter;
        address relayer;
        address pauser;
        address freezer;
    }

    /// @notice An entry of a batch was not settled. No money moved by it.
    ///
    /// `reason` is the selector of the error that the same payment alone would have failed with:
    ///
    ///     ERC3009UsedAuthorization         the nonce was used or cancelled before: look for its AuthorizationUsed
    ///                                      or AuthorizationCanceled, one of which says whether money moved
    ///     ERC3009InvalidAuthorizationTime  not yet valid, or expired
    ///     ERC3009InvalidSignature          not signed by `from`
    ///     ERC20InvalidReceiver             the payee is the zero address
    ///     AccountFrozen                    the payer or the payee is frozen
    ///     ERC20InsufficientBalance         the payer has less than `value`
    ///
    /// After the first three the nonce is as it was, since nobody has proved to speak for `from` at this time. After
    /// the last three it is spent (AuthorizationCanceled comes just before this event): the signature is public by
    /// now, and must not settle a payment later that its payee has been told has failed.
    event AuthorizationSkipped(address indexed from, bytes32 indexed nonce, bytes4 reason);

    /// @notice Tokens were issued against `ref`. The Transfer from the zero address is the log just before.
    event Minted(address indexed to, uint256 value, bytes32 indexed ref);

    /// @notice An entry of a batch was not minted, and its reference is as it was.
    ///
    /// `reason` is one of the selectors of MintReferenceMissing, MintAlreadyUsed, ERC20InvalidReceiver (zero or the
    /// token itself), AccountFrozen and MintTooLarge.
    event MintSkipped(bytes32 indexed ref, bytes4 reason);

    /// @notice `from` gave back `value` tokens and is owed as much fiat. The Transfer to the zero address is the log
    /// just before.
    event Redeemed(address indexed from, uint256 value);

    /// @notice From now on `account` neither pays nor receives.
    event Frozen(address indexed account);

    /// @notice `account` may pay and receive again.
    event Unfrozen(address indexed account);

    /// @notice `account` is frozen.
    error AccountFrozen(address account);

    /// @notice `account` is not frozen, so it cannot be unfrozen.
    error AccountNotFrozen(address account);

    /// @notice The zero address and the token itself cannot be frozen: that would stop mints and redemptions.
    error AccountNotFreezable(address account);

    /// @notice Tokens have been minted against `ref` already.
    error MintAlreadyUsed(bytes32 ref);

    /// @notice A mint needs a reference that is not zero: zero is what a forgotten one looks like.
    error MintReferenceMissing();

    /// @notice The supply cannot grow by `value` without passing 2^256-1.
    error MintTooLarge(uint256 value);

    /// @notice May mint. (DEFAULT_ADMIN_ROLE, which is zero, grants and revokes this and the other roles.)
    function MINTER_ROLE() external view returns (bytes32);

    /// @notice May settle batches. Cannot move a token without its owner's signature.
    function RELAYER_ROLE() external view returns (bytes32);

    /// @notice May pause and unpause.
    function PAUSER_ROLE() external view returns (bytes32);

    /// @notice May freeze and unfreeze.
    function FREEZER_ROLE() external view returns (bytes32);

    /// @notice Settle many signed payments, each on its own: a bad one is skipped with AuthorizationSkipped.
    ///
    /// The entries are taken in order, so a payee may spend in the same batch what it got earlier in it. For each one
    /// settled the logs are, next to each other: AuthorizationUsed, Transfer, and for a redemption Redeemed.
    ///
    /// Reverts as a whole when the caller is no relayer, when paused, and when `batch` is not well-formed ABI.
    ///
    /// @return settled How many of them moved money.
    function settle(Authorization[] calldata batch) external returns (uint256 settled);

    /// @notice Issue tokens against fiat received, each entry on its own: a bad one is skipped with MintSkipped.
    ///
    /// Reverts as a whole when the caller is no minter, when paused, and when `batch` is not well-formed ABI.
    ///
    /// @return count How many entries were minted.
    function mint(Mint[] calldata batch) external returns (uint256 count);

    /// @notice Whether tokens have been minted against `ref`.
    function minted(bytes32 ref) external view returns (bool);

    /// @notice Give back `value` of the caller's tokens, to be paid out in fiat.
    function redeem(uint256 value) external;

    /// @notice Stop `account` from paying and receiving. Reverts when it is stopped already.
    function freeze(address account) external;

    /// @notice Let `account` pay and receive again. Reverts when it may already.
    function unfreeze(address account) external;

    /// @notice Whether `account` is frozen.
    function frozen(address account) external view returns (bool);

    /// @notice Stop all payments, mints and redemptions. Cancelling an authorization and permits go on: they move
    /// nothing.
    function pause() external;

    /// @notice Let payments go on.
    function unpause() external;

    /// @notice EIP-3009's transfer, for contract wallets (ERC-1271) too. Anybody may send it.
    function transferWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external;

    /// @notice EIP-3009's transfer that only its payee may send, for contract wallets (ERC-1271) too.
    ///
    /// A contract that takes money and then does something with it needs this one: nobody else can settle the payment
    /// before it and leave it without its cue.
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external;

    /// @notice EIP-3009's cancellation, for contract wallets (ERC-1271) too. Anybody may send it.
    function cancelAuthorization(address authorizer, bytes32 nonce, bytes calldata signature) external;
}
