// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";

import {IToken} from "../src/IToken.sol";
import {TokenSetup} from "./TokenSetup.sol";
import {vm} from "./Vm.sol";
import {
    BombWallet,
    BurningWallet,
    DirtyWallet,
    ExactWallet,
    OpenWallet,
    OwnedWallet,
    ReentrantWallet,
    RevertingWallet,
    ShortWallet
} from "./Wallets.sol";

contract ContractWalletTest is TokenSetup {
    bytes4 private constant OF_SIGNATURE = ERC3009.ERC3009InvalidSignature.selector;

    function payFrom(address wallet, uint256 key) private returns (IToken.Authorization memory a) {
        give(wallet, 100);
        a = pay(key, bob, 10, 7);
        a.from = wallet;
        a.signature = signature(key, digest(TRANSFER, a));
    }

    function expectRefused(address wallet) private {
        give(alice, 100);
        IToken.Authorization memory a = payFrom(wallet, ALICE);

        expectSkip(a, OF_SIGNATURE, false);
        equal(settle(two(a, pay(ALICE, bob, 1, 1))), 1, "its neighbour settles");
        vm.expectRevert(abi.encodeWithSelector(OF_SIGNATURE));
        send(a);
    }

    function test_a_contract_wallet_pays_by_its_owner_s_key() public {
        IToken.Authorization memory a = payFrom(address(new OwnedWallet(alice)), ALICE);

        equal(settle(a), 1, "settled");
        equal(token.balanceOf(bob), 10, "bob");
    }

    function test_a_contract_wallet_does_not_pay_by_another_s_key() public {
        expectRefused(address(new OwnedWallet(bob)));
    }

    function test_a_contract_wallet_pays_receives_and_cancels_by_signature_of_its_own() public {
        address wallet = address(new OwnedWallet(alice));
        IToken.Authorization memory a = payFrom(wallet, ALICE);
        send(a);
        equal(token.balanceOf(bob), 10, "sent");

        a.nonce = bytes32(uint256(8));
        a.signature = signature(ALICE, digest(RECEIVE, a));
        vm.prank(bob);
        token.receiveWithAuthorization(a.from, a.to, a.value, a.validAfter, a.validBefore, a.nonce, a.signature);
        equal(token.balanceOf(bob), 20, "received");

        token.cancelAuthorization(
            wallet, bytes32(uint256(9)), signature(ALICE, cancelDigest(wallet, bytes32(uint256(9))))
        );
        equal(token.authorizationState(wallet, bytes32(uint256(9))), true, "cancelled");
    }

    function testFuzz_a_contract_wallet_is_shown_its_signature_unchanged(bytes memory shown) public {
        IToken.Authorization memory a = payFrom(address(new ExactWallet(shown)), ALICE);
        a.signature = shown;

        equal(settle(a), 1, "settled");
    }

    function test_even_a_wallet_that_accepts_everything_pays_a_nonce_once() public {
        IToken.Authorization memory a = payFrom(address(new OpenWallet()), ALICE);

        equal(settle(two(a, a)), 1, "settled");
    }

    function test_a_wallet_that_burns_its_gas_costs_a_batch_no_more_than_its_cap() public {
        give(alice, 100);
        IToken.Authorization memory a = payFrom(address(new BurningWallet()), ALICE);
        IToken.Authorization[] memory batch = two(a, pay(ALICE, bob, 1, 1));

        vm.prank(relayer);
        uint256 before = gasleft();
        uint256 settled = token.settle{gas: 300_000}(batch);
        uint256 spent = before - gasleft();

        equal(settled, 1, "its neighbour settles");
        require(spent < 210_000, "gas");
        equal(token.authorizationState(a.from, a.nonce), false, "nonce");
    }

    function test_a_wallet_that_answers_with_a_bomb_is_read_one_word_of() public {
        expectRefused(address(new BombWallet()));
    }

    function test_a_wallet_that_answers_less_than_a_word_is_refused() public {
        expectRefused(address(new ShortWallet()));
    }

    function test_a_wallet_that_answers_with_a_dirty_word_is_refused() public {
        expectRefused(address(new DirtyWallet()));
    }

    function test_a_wallet_that_reverts_is_refused_whatever_its_reason() public {
        expectRefused(address(new RevertingWallet()));
    }

    function test_a_wallet_cannot_spend_while_it_is_asked() public {
        expectRefused(address(new ReentrantWallet()));
    }

    function test_a_key_goes_on_signing_for_its_account_when_that_has_code() public {
        give(alice, 100);
        vm.etch(alice, address(new RevertingWallet()).code);

        equal(settle(pay(ALICE, bob, 1, 1)), 1, "settled");
    }

    function test_a_contract_without_the_check_is_refused() public {
        expectRefused(address(this));
    }
}
