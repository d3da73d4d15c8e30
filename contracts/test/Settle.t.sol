// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

import {IToken} from "../src/IToken.sol";
import {TokenSetup} from "./TokenSetup.sol";
import {Vm, vm} from "./Vm.sol";

contract SettleTest is TokenSetup {
    bytes4 private constant OF_USED = ERC3009.ERC3009UsedAuthorization.selector;
    bytes4 private constant OF_TIME = ERC3009.ERC3009InvalidAuthorizationTime.selector;
    bytes4 private constant OF_SIGNATURE = ERC3009.ERC3009InvalidSignature.selector;
    bytes4 private constant OF_RECEIVER = IERC20Errors.ERC20InvalidReceiver.selector;
    bytes4 private constant OF_FROZEN = IToken.AccountFrozen.selector;
    bytes4 private constant OF_BALANCE = IERC20Errors.ERC20InsufficientBalance.selector;

    function setUp() public override {
        super.setUp();
        give(alice, 1000);
    }

    // A payment

    function test_a_settled_payment_logs_its_authorization_then_its_transfer() public {
        IToken.Authorization memory a = pay(ALICE, bob, 10, 7);
        vm.recordLogs();

        equal(settle(a), 1, "settled");

        Vm.Log[] memory logs = vm.getRecordedLogs();
        equal(logs.length, 2, "logs");
        expectLog(logs[0], USED, topic(alice), bytes32(uint256(7)), "");
        expectLog(logs[1], TRANSFERRED, topic(alice), topic(bob), abi.encode(10));
        equal(token.balanceOf(alice), 990, "alice");
        equal(token.balanceOf(bob), 10, "bob");
        equal(token.authorizationState(alice, a.nonce), true, "nonce");
    }

    function test_a_payment_to_the_token_is_a_redemption() public {
        vm.recordLogs();

        equal(settle(pay(ALICE, address(token), 10, 7)), 1, "settled");

        Vm.Log[] memory logs = vm.getRecordedLogs();
        equal(logs.length, 3, "logs");
        expectLog(logs[0], USED, topic(alice), bytes32(uint256(7)), "");
        expectLog(logs[1], TRANSFERRED, topic(alice), 0, abi.encode(10));
        expectLog(logs[2], REDEEMED, topic(alice), 0, abi.encode(10));
        equal(token.balanceOf(alice), 990, "alice");
        equal(token.balanceOf(address(token)), 0, "token");
        equal(token.totalSupply(), 990, "supply");
    }

    function test_a_payee_spends_in_the_same_batch_what_it_got_earlier_in_it() public {
        equal(settle(two(pay(ALICE, bob, 10, 0), pay(BOB, alice, 10, 0))), 2, "settled");

        equal(token.balanceOf(alice), 1000, "alice");
        equal(token.balanceOf(bob), 0, "bob");
    }

    function test_a_payment_to_oneself_moves_nothing_and_settles() public {
        equal(settle(pay(ALICE, alice, 10, 0)), 1, "settled");

        equal(token.balanceOf(alice), 1000, "alice");
        equal(token.totalSupply(), 1000, "supply");
    }

    function test_a_payment_of_nothing_settles() public {
        equal(settle(pay(ALICE, bob, 0, 0)), 1, "settled");
    }

    function test_an_empty_batch_settles_nothing() public {
        equal(settle(new IToken.Authorization[](0)), 0, "settled");
    }

    function testFuzz_a_payment_settles_once_whatever_its_nonce_and_value(uint256 value, uint256 nonce) public {
        value = value % 1001;
        IToken.Authorization memory a = pay(ALICE, bob, value, nonce);
        equal(token.authorizationState(alice, a.nonce), false, "unused before");

        equal(settle(two(a, a)), 1, "settled");

        equal(token.balanceOf(bob), value, "bob");
        equal(token.authorizationState(alice, a.nonce), true, "used after");
    }

    function testFuzz_one_nonce_leaves_every_other_alone(uint256 nonce, uint256 other) public {
        if (nonce == other) return;

        settle(pay(ALICE, bob, 1, nonce));

        equal(token.authorizationState(alice, bytes32(other)), false, "other nonce");
        equal(token.authorizationState(bob, bytes32(nonce)), false, "other payer");
        equal(settle(pay(ALICE, bob, 1, other)), 1, "other settles");
    }

    function test_a_word_of_256_nonces_settles_256_payments() public {
        IToken.Authorization[] memory batch = new IToken.Authorization[](257);
        for (uint256 i = 0; i < batch.length; ++i) {
            batch[i] = pay(ALICE, bob, 1, 255 + i);
        }

        equal(settle(batch), 257, "settled");
        equal(settle(batch), 0, "settled again");
        equal(token.balanceOf(bob), 257, "bob");
    }

    // A skip

    function test_a_used_nonce_is_skipped() public {
        IToken.Authorization memory a = pay(ALICE, bob, 10, 7);
        settle(a);

        expectSkip(a, OF_USED, false);
    }

    function test_a_nonce_used_by_anybody_else_s_transaction_is_skipped() public {
        IToken.Authorization memory a = pay(ALICE, bob, 10, 7);
        send(a);

        expectSkip(a, OF_USED, false);
    }

    function test_a_cancelled_nonce_is_skipped() public {
        IToken.Authorization memory a = pay(ALICE, bob, 10, 7);
        token.cancelAuthorization(alice, a.nonce, signature(ALICE, cancelDigest(alice, a.nonce)));

        expectSkip(a, OF_USED, false);
    }

    function test_two_payments_with_one_nonce_settle_once() public {
        equal(settle(two(pay(ALICE, bob, 10, 7), pay(ALICE, bob, 20, 7))), 1, "settled");

        equal(token.balanceOf(bob), 10, "bob");
    }

    function test_somebody_else_s_signature_is_skipped_and_leaves_the_nonce() public {
        IToken.Authorization memory a = pay(ALICE, bob, 10, 7);
        a.signature = signature(BOB, digest(TRANSFER, a));

        expectSkip(a, OF_SIGNATURE, false);
        equal(settle(pay(ALICE, bob, 10, 7)), 1, "the true one settles");
    }

    function testFuzz_a_signature_covers_every_field(uint256 field, uint256 change) public {
        IToken.Authorization memory a = pay(ALICE, bob, 10, 7);
        field = field % 5;
        change = change % 900 + 1;

        if (field == 0) a.to = address(uint160(a.to) + uint160(change));
        if (field == 1) a.value += change;
        if (field == 2) a.validBefore += change;
        if (field == 3) a.nonce = bytes32(uint256(a.nonce) + change);
        if (field == 4) a.validAfter -= change;

        expectSkip(a, OF_SIGNATURE, false);
    }

    function testFuzz_bytes_that_are_no_signature_are_skipped(bytes memory noise) public {
        IToken.Authorization memory a = pay(ALICE, bob, 10, 7);
        a.signature = noise;

        expectSkip(a, OF_SIGNATURE, false);
    }

    function test_a_high_s_signature_is_skipped() public {
        IToken.Authorization memory a = pay(ALICE, bob, 10, 7);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(ALICE, digest(TRANSFER, a));
        uint256 order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
        bytes32 high = bytes32(order - uint256(s));
        uint8 flipped = v == 27 ? 28 : 27;
        equal(ecrecover(digest(TRANSFER, a), flipped, r, high), alice, "the curve takes it");
        a.signature = abi.encodePacked(r, high, flipped);

        expectSkip(a, OF_SIGNATURE, false);
    }

    function test_a_signature_that_recovers_to_nobody_does_not_pay_for_the_zero_address() public {
        IToken.Authorization memory a = pay(ALICE, bob, 0, 7);
        a.from = address(0);
        a.signature = abi.encodePacked(bytes32(0), bytes32(0), uint8(27));

        expectSkip(a, OF_SIGNATURE, false);
    }

    function test_the_token_itself_signs_nothing() public {
        IToken.Authorization memory a = pay(ALICE, bob, 0, 7);
        a.from = address(token);

        expectSkip(a, OF_SIGNATURE, false);
    }

    function test_a_signature_to_receive_does_not_settle_in_a_batch() public {
        IToken.Authorization memory a = pay(ALICE, bob, 10, 7);
        a.signature = signature(ALICE, digest(RECEIVE, a));

        expectSkip(a, OF_SIGNATURE, false);
    }

    function test_a_signature_for_another_chain_is_skipped() public {
        IToken.Authorization memory a = pay(ALICE, bob, 10, 7);
        vm.chainId(4242);

        expectSkip(a, OF_SIGNATURE, false);
        equal(settle(pay(ALICE, bob, 10, 7)), 1, "one for this chain settles");
    }

    function test_a_payment_that_is_not_yet_valid_is_skipped_and_settles_later() public {
        IToken.Authorization memory a = pay(ALICE, bob, 10, 7);
        a.validAfter = NOW;
        a.signature = signature(ALICE, digest(TRANSFER, a));

        expectSkip(a, OF_TIME, false);

        vm.warp(NOW + 1);
        equal(settle(a), 1, "settled later");
    }

    function test_a_payment_expires_at_its_last_second() public {
        IToken.Authorization memory a = pay(ALICE, bob, 10, 7);

        vm.warp(a.validBefore);
        expectSkip(a, OF_TIME, false);

        vm.warp(a.validBefore - 1);
        equal(settle(a), 1, "settled a second earlier");
    }

    function test_times_are_seconds_even_where_openzeppelin_would_read_block_numbers() public {
        IToken.Authorization memory a = pay(ALICE, bob, 10, 7);
        (a.validAfter, a.validBefore) = (1 << 47, 1 << 47 | type(uint40).max);
        a.signature = signature(ALICE, digest(TRANSFER, a));

        expectSkip(a, OF_TIME, false);
    }

    function test_too_small_a_balance_is_a_final_skip() public {
        expectSkip(pay(ALICE, bob, 1001, 7), OF_BALANCE, true);
        expectSkip(pay(ALICE, bob, type(uint256).max, 8), OF_BALANCE, true);
        expectSkip(pay(ALICE, alice, 1001, 9), OF_BALANCE, true);
        expectSkip(pay(ALICE, address(token), 1001, 10), OF_BALANCE, true);
    }

    function test_a_frozen_payer_is_a_final_skip() public {
        freeze(alice);

        expectSkip(pay(ALICE, bob, 10, 7), OF_FROZEN, true);
        expectSkip(pay(ALICE, address(token), 10, 8), OF_FROZEN, true);
    }

    function test_a_frozen_payee_is_a_final_skip() public {
        freeze(bob);

        expectSkip(pay(ALICE, bob, 10, 7), OF_FROZEN, true);
    }

    function test_the_zero_address_as_payee_is_a_final_skip() public {
        expectSkip(pay(ALICE, address(0), 10, 7), OF_RECEIVER, true);
    }

    function test_a_final_skip_cannot_be_replayed_when_its_cause_is_gone() public {
        IToken.Authorization memory a = pay(ALICE, bob, 2000, 7);
        settle(a);
        give(alice, 5000);

        expectSkip(a, OF_USED, false);
        vm.expectRevert(abi.encodeWithSelector(OF_USED, alice, a.nonce));
        send(a);
    }

    function test_a_frozen_payer_s_payment_cannot_be_replayed_after_the_unfreeze() public {
        IToken.Authorization memory a = pay(ALICE, bob, 10, 7);
        freeze(alice);
        settle(a);
        unfreeze(alice);

        expectSkip(a, OF_USED, false);
    }

    function test_nobody_can_spend_another_s_nonce_without_a_signature() public {
        IToken.Authorization memory a = pay(ALICE, bob, 2000, 7);
        a.signature = signature(BOB, digest(TRANSFER, a));

        expectSkip(a, OF_SIGNATURE, false);
        equal(settle(pay(ALICE, bob, 10, 7)), 1, "alice's nonce is still hers");
    }

    function testFuzz_bad_entries_never_stop_the_good_ones(uint256 seed) public {
        IToken.Authorization[] memory batch = new IToken.Authorization[](24);
        uint256 good;
        for (uint256 i = 0; i < batch.length; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint256 kind = seed % 6;
            batch[i] = pay(ALICE, kind == 4 ? address(0) : bob, kind == 5 ? 5000 : 1, i);
            if (kind == 1) batch[i].signature = "no";
            if (kind == 2) batch[i].signature = signature(BOB, digest(TRANSFER, batch[i]));
            if (kind == 3) batch[i].validBefore = 1;
            if (kind == 0) ++good;
        }

        equal(settle(batch), good, "settled");
        equal(token.balanceOf(bob), good, "bob");
        equal(token.balanceOf(alice), 1000 - good, "alice");
    }

    // The whole batch

    function test_only_a_relayer_settles() public {
        IToken.Authorization[] memory batch = one(pay(ALICE, bob, 10, 7));
        bytes32 role = token.RELAYER_ROLE();

        vm.expectRevert(
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, address(this), role)
        );
        token.settle(batch);
    }

    function test_a_batch_reverts_while_paused_and_no_nonce_is_spent() public {
        IToken.Authorization memory a = pay(ALICE, bob, 5000, 7);
        pause();

        vm.prank(relayer);
        vm.expectRevert(abi.encodeWithSelector(Pausable.EnforcedPause.selector));
        token.settle(one(a));

        equal(token.authorizationState(alice, a.nonce), false, "nonce");
    }
}
