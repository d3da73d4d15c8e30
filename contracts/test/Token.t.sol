// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import {IToken} from "../src/IToken.sol";
import {TokenSetup} from "./TokenSetup.sol";
import {Vm, vm} from "./Vm.sol";

contract TokenTest is TokenSetup {
    function setUp() public override {
        super.setUp();
        give(alice, 1000);
    }

    function expectDenied(bytes32 role) private {
        vm.expectRevert(
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, address(this), role)
        );
    }

    function expectMintSkip(IToken.Mint memory m, bytes4 reason) private {
        IToken.Mint[] memory batch = new IToken.Mint[](2);
        uint256 supply = token.totalSupply();
        (batch[0], batch[1]) = (m, IToken.Mint(bob, 5, keccak256(abi.encode(supply))));
        bool used = token.minted(m.ref);
        vm.recordLogs();

        vm.prank(minter);
        equal(token.mint(batch), 1, "minted");

        Vm.Log[] memory logs = vm.getRecordedLogs();
        equal(logs.length, 3, "logs");
        expectLog(logs[0], MINT_SKIPPED, m.ref, 0, abi.encode(reason));
        expectLog(logs[1], TRANSFERRED, 0, topic(bob), abi.encode(5));
        equal(token.totalSupply(), supply + 5, "supply");
        equal(token.minted(m.ref), used, "reference");
    }

    // What it is

    function test_it_says_what_it_was_given() public view {
        equal(keccak256(bytes(token.name())), keccak256("Example Dollar"), "name");
        equal(keccak256(bytes(token.symbol())), keccak256("USDX"), "symbol");
        equal(token.decimals(), 6, "decimals");
        equal(token.hasRole(0x00, admin), true, "admin");
        equal(token.hasRole(token.MINTER_ROLE(), minter), true, "minter");
        equal(token.hasRole(token.RELAYER_ROLE(), relayer), true, "relayer");
        equal(token.hasRole(token.PAUSER_ROLE(), pauser), true, "pauser");
        equal(token.hasRole(token.FREEZER_ROLE(), freezer), true, "freezer");
        equal(token.hasRole(0x00, address(this)), false, "deployer");
    }

    function test_each_role_opens_its_own_doors_alone() public {
        expectDenied(token.MINTER_ROLE());
        token.mint(new IToken.Mint[](0));
        expectDenied(token.RELAYER_ROLE());
        token.settle(new IToken.Authorization[](0));
        expectDenied(token.PAUSER_ROLE());
        token.pause();
        expectDenied(token.PAUSER_ROLE());
        token.unpause();
        expectDenied(token.FREEZER_ROLE());
        token.freeze(alice);
        expectDenied(token.FREEZER_ROLE());
        token.unfreeze(alice);
    }

    function test_the_admin_hands_a_role_on() public {
        bytes32 role = token.MINTER_ROLE();
        vm.prank(admin);
        token.revokeRole(role, minter);

        vm.expectRevert(abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, minter, role));
        vm.prank(minter);
        token.mint(new IToken.Mint[](0));
    }

    // Mints

    function test_a_mint_logs_its_transfer_then_its_reference() public {
        IToken.Mint[] memory batch = new IToken.Mint[](1);
        batch[0] = IToken.Mint(bob, 5, keccak256("wire 1"));
        vm.recordLogs();

        vm.prank(minter);
        equal(token.mint(batch), 1, "minted");

        Vm.Log[] memory logs = vm.getRecordedLogs();
        equal(logs.length, 2, "logs");
        expectLog(logs[0], TRANSFERRED, 0, topic(bob), abi.encode(5));
        expectLog(logs[1], MINTED, topic(bob), keccak256("wire 1"), abi.encode(5));
        equal(token.minted(keccak256("wire 1")), true, "reference");
    }

    function test_a_reference_mints_once() public {
        IToken.Mint[] memory batch = new IToken.Mint[](2);
        batch[0] = IToken.Mint(bob, 5, keccak256("wire 1"));
        batch[1] = IToken.Mint(alice, 5, keccak256("wire 1"));
        vm.prank(minter);
        equal(token.mint(batch), 1, "minted");
        vm.prank(minter);
        equal(token.mint(batch), 0, "minted again");

        expectMintSkip(batch[0], IToken.MintAlreadyUsed.selector);
        equal(token.balanceOf(bob), 10, "bob");
    }

    function test_a_mint_without_a_reference_is_skipped() public {
        expectMintSkip(IToken.Mint(bob, 5, 0), IToken.MintReferenceMissing.selector);
    }

    function test_a_mint_to_nobody_or_to_the_token_is_skipped() public {
        expectMintSkip(IToken.Mint(address(0), 5, "1"), IERC20Errors.ERC20InvalidReceiver.selector);
        expectMintSkip(IToken.Mint(address(token), 5, "1"), IERC20Errors.ERC20InvalidReceiver.selector);
    }

    function test_a_mint_to_the_frozen_is_skipped_and_its_reference_mints_after_the_unfreeze() public {
        freeze(alice);
        expectMintSkip(IToken.Mint(alice, 5, "1"), IToken.AccountFrozen.selector);

        unfreeze(alice);
        IToken.Mint[] memory batch = new IToken.Mint[](1);
        batch[0] = IToken.Mint(alice, 5, "1");
        vm.prank(minter);
        equal(token.mint(batch), 1, "minted");
    }

    function test_a_mint_past_the_largest_supply_is_skipped() public {
        expectMintSkip(IToken.Mint(bob, type(uint256).max - 999, "1"), IToken.MintTooLarge.selector);
    }

    // Redemptions

    function test_a_redemption_burns_and_says_who_is_owed() public {
        vm.recordLogs();

        vm.prank(alice);
        token.redeem(10);

        Vm.Log[] memory logs = vm.getRecordedLogs();
        equal(logs.length, 2, "logs");
        expectLog(logs[0], TRANSFERRED, topic(alice), 0, abi.encode(10));
        expectLog(logs[1], REDEEMED, topic(alice), 0, abi.encode(10));
        equal(token.totalSupply(), 990, "supply");
    }

    function test_nobody_redeems_more_than_they_have() public {
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, alice, 1000, 1001));
        vm.prank(alice);
        token.redeem(1001);
    }

    function test_an_authorization_to_the_token_redeems_alone_as_in_a_batch() public {
        vm.recordLogs();

        send(pay(ALICE, address(token), 10, 7));

        Vm.Log[] memory logs = vm.getRecordedLogs();
        equal(logs.length, 3, "logs");
        expectLog(logs[0], USED, topic(alice), bytes32(uint256(7)), "");
        expectLog(logs[1], TRANSFERRED, topic(alice), 0, abi.encode(10));
        expectLog(logs[2], REDEEMED, topic(alice), 0, abi.encode(10));
    }

    function test_a_plain_transfer_to_the_token_is_refused() public {
        vm.prank(alice);
        token.approve(bob, 10);
        bytes memory refusal = abi.encodeWithSelector(IERC20Errors.ERC20InvalidReceiver.selector, token);

        vm.expectRevert(refusal);
        vm.prank(alice);
        token.transfer(address(token), 10);
        vm.expectRevert(refusal);
        vm.prank(bob);
        token.transferFrom(alice, address(token), 10);
    }

    // Frozen and paused

    function test_the_frozen_neither_pay_nor_receive_nor_redeem() public {
        give(bob, 100);
        vm.prank(alice);
        token.approve(bob, 100);
        IToken.Authorization memory a = pay(ALICE, bob, 1, 7);
        IToken.Authorization memory b = pay(BOB, alice, 1, 7);
        freeze(alice);
        equal(token.frozen(alice), true, "frozen");
        bytes memory refusal = abi.encodeWithSelector(IToken.AccountFrozen.selector, alice);

        vm.expectRevert(refusal);
        vm.prank(alice);
        token.transfer(bob, 1);
        vm.expectRevert(refusal);
        vm.prank(bob);
        token.transfer(alice, 1);
        vm.expectRevert(refusal);
        vm.prank(bob);
        token.transferFrom(alice, bob, 1);
        vm.expectRevert(refusal);
        vm.prank(alice);
        token.redeem(1);
        vm.expectRevert(refusal);
        send(a);
        vm.expectRevert(refusal);
        send(b);
    }

    function test_a_frozen_spender_moves_no_money_of_its_own() public {
        give(bob, 100);
        vm.prank(alice);
        token.approve(bob, 10);
        freeze(bob);

        vm.prank(bob);
        token.transferFrom(alice, admin, 10);
        equal(token.balanceOf(admin), 10, "allowed by alice");

        vm.expectRevert(abi.encodeWithSelector(IToken.AccountFrozen.selector, bob));
        vm.prank(bob);
        token.transferFrom(alice, bob, 0);
    }

    function test_the_unfrozen_pay_again_while_others_stay_frozen() public {
        freeze(alice);
        freeze(bob);
        unfreeze(alice);

        vm.prank(alice);
        token.transfer(admin, 1);
        vm.expectRevert(abi.encodeWithSelector(IToken.AccountFrozen.selector, bob));
        vm.prank(alice);
        token.transfer(bob, 1);
    }

    function test_nobody_is_frozen_or_unfrozen_twice() public {
        vm.expectRevert(abi.encodeWithSelector(IToken.AccountNotFrozen.selector, alice));
        unfreeze(alice);
        freeze(alice);
        vm.expectRevert(abi.encodeWithSelector(IToken.AccountFrozen.selector, alice));
        freeze(alice);
    }

    function test_mints_and_redemptions_cannot_be_frozen() public {
        vm.expectRevert(abi.encodeWithSelector(IToken.AccountNotFreezable.selector, address(0)));
        freeze(address(0));
        vm.expectRevert(abi.encodeWithSelector(IToken.AccountNotFreezable.selector, token));
        freeze(address(token));
    }

    function test_nothing_moves_while_paused_and_all_does_afterwards() public {
        IToken.Authorization memory a = pay(ALICE, bob, 1, 7);
        pause();
        equal(token.paused(), true, "paused");
        bytes memory refusal = abi.encodeWithSelector(Pausable.EnforcedPause.selector);

        vm.expectRevert(refusal);
        vm.prank(alice);
        token.transfer(bob, 1);
        vm.expectRevert(refusal);
        vm.prank(alice);
        token.redeem(1);
        vm.expectRevert(refusal);
        send(a);
        vm.expectRevert(refusal);
        vm.prank(minter);
        token.mint(new IToken.Mint[](1));

        vm.prank(pauser);
        token.unpause();
        send(a);
        equal(token.balanceOf(bob), 1, "bob");
    }

    function test_an_authorization_is_cancelled_even_while_paused() public {
        pause();
        token.cancelAuthorization(alice, "7", signature(ALICE, cancelDigest(alice, "7")));

        equal(token.authorizationState(alice, "7"), true, "cancelled");
    }

    // EIP-3009, one at a time

    function test_an_authorization_settles_by_either_form_of_its_signature() public {
        IToken.Authorization memory a = pay(ALICE, bob, 10, 7);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(ALICE, digest(TRANSFER, a));
        token.transferWithAuthorization(a.from, a.to, a.value, a.validAfter, a.validBefore, a.nonce, v, r, s);
        send(pay(ALICE, bob, 10, 8));

        equal(token.balanceOf(bob), 20, "bob");
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009UsedAuthorization.selector, alice, a.nonce));
        send(a);
    }

    function test_an_authorization_that_fails_alone_keeps_its_nonce() public {
        IToken.Authorization memory a = pay(ALICE, bob, 1001, 7);
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, alice, 1000, 1001));
        send(a);

        give(alice, 1);
        send(a);
        equal(token.balanceOf(bob), 1001, "bob");
    }

    function test_an_authorization_is_refused_outside_its_time() public {
        IToken.Authorization memory a = pay(ALICE, bob, 10, 7);
        bytes memory refusal =
            abi.encodeWithSelector(ERC3009.ERC3009InvalidAuthorizationTime.selector, a.validAfter, a.validBefore);

        vm.warp(a.validAfter);
        vm.expectRevert(refusal);
        send(a);
        vm.warp(a.validBefore);
        vm.expectRevert(refusal);
        send(a);
    }

    function test_a_high_s_signature_is_refused_in_either_form() public {
        IToken.Authorization memory a = pay(ALICE, bob, 10, 7);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(ALICE, digest(TRANSFER, a));
        s = bytes32(0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 - uint256(s));
        v = v == 27 ? 28 : 27;

        vm.expectRevert(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureS.selector, s));
        token.transferWithAuthorization(a.from, a.to, a.value, a.validAfter, a.validBefore, a.nonce, v, r, s);
        a.signature = abi.encodePacked(r, s, v);
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
        send(a);
    }

    function test_only_its_payee_can_receive_an_authorization() public {
        IToken.Authorization memory a = pay(ALICE, bob, 10, 7);
        a.signature = signature(ALICE, digest(RECEIVE, a));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(ALICE, digest(RECEIVE, a));
        bytes memory refusal = abi.encodeWithSelector(IERC20Errors.ERC20InvalidReceiver.selector, bob);

        vm.expectRevert(refusal);
        token.receiveWithAuthorization(a.from, a.to, a.value, a.validAfter, a.validBefore, a.nonce, a.signature);
        vm.expectRevert(refusal);
        token.receiveWithAuthorization(a.from, a.to, a.value, a.validAfter, a.validBefore, a.nonce, v, r, s);
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
        send(a);

        vm.prank(bob);
        token.receiveWithAuthorization(a.from, a.to, a.value, a.validAfter, a.validBefore, a.nonce, a.signature);
        equal(token.balanceOf(bob), 10, "bob");
    }

    function test_a_cancelled_authorization_never_settles() public {
        IToken.Authorization memory a = pay(ALICE, bob, 10, 7);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(ALICE, cancelDigest(alice, a.nonce));
        token.cancelAuthorization(alice, a.nonce, v, r, s);

        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009UsedAuthorization.selector, alice, a.nonce));
        send(a);
    }

    function test_nobody_else_cancels_an_authorization() public {
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
        token.cancelAuthorization(alice, "7", signature(BOB, cancelDigest(alice, "7")));
    }

    // EIP-2612

    function test_a_permit_allows_once() public {
        bytes32 hash = digest(keccak256(abi.encode(PERMIT, alice, bob, 10, 0, NOW)));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(ALICE, hash);
        token.permit(alice, bob, 10, NOW, v, r, s);

        vm.prank(bob);
        token.transferFrom(alice, bob, 10);
        equal(token.balanceOf(bob), 10, "bob");
        equal(token.nonces(alice), 1, "nonce");

        bytes32 next = digest(keccak256(abi.encode(PERMIT, alice, bob, 10, 1, NOW)));
        vm.expectRevert(
            abi.encodeWithSelector(ERC20Permit.ERC2612InvalidSigner.selector, ecrecover(next, v, r, s), alice)
        );
        token.permit(alice, bob, 10, NOW, v, r, s);
    }

    function test_a_permit_expires() public {
        bytes32 hash = digest(keccak256(abi.encode(PERMIT, alice, bob, 10, 0, NOW - 1)));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(ALICE, hash);

        vm.expectRevert(abi.encodeWithSelector(ERC20Permit.ERC2612ExpiredSignature.selector, NOW - 1));
        token.permit(alice, bob, 10, NOW - 1, v, r, s);
    }

    function testFuzz_a_transfer_keeps_the_supply(address to, uint256 value) public {
        value = value % 1001;
        if (to == address(0) || to == address(token)) return;

        vm.prank(alice);
        token.transfer(to, value);

        equal(token.totalSupply(), 1000, "supply");
        equal(token.balanceOf(to), to == alice ? 1000 : value, "payee");
    }
}
