// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IToken} from "../src/IToken.sol";
import {TokenSetup} from "./TokenSetup.sol";
import {vm} from "./Vm.sol";

/// @dev README's figures, held. What a transaction pays is counted as the protocol does: 21,000, its calldata (4 for a
/// zero byte, 16 for another), and the run of the call with every account and slot cold.
contract GasTest is TokenSetup {
    uint256 private constant PAYERS = 400;

    uint256[] private _keys;

    function setUp() public override {
        super.setUp();
        for (uint256 i = 0; i < PAYERS; ++i) {
            _keys.push(uint256(keccak256(abi.encode("payer", i))));
            give(vm.addr(_keys[i]), 1_000_000_000);
            give(_payee(i), 1_000_000_000);
        }
        settle(_batch(PAYERS, 0));
    }

    function test_a_payment_in_a_batch_of_100_costs_less_than_27000_gas() public {
        // 0 was used before, and 255 is the last nonce in its word.
        _expectEach(_batch(100, 255), 27_000);
    }

    function test_a_payment_in_a_batch_of_200_costs_less_than_26850_gas() public {
        _expectEach(_batch(200, 1), 26_850);
    }

    function test_a_payment_in_a_batch_of_400_costs_less_than_26750_gas() public {
        _expectEach(_batch(400, 1), 26_750);
    }

    function test_a_payment_by_a_key_never_costs_more_than_70000_gas() public {
        freeze(address(this));
        IToken.Authorization[] memory batch = new IToken.Authorization[](100);
        for (uint256 i = 0; i < batch.length; ++i) {
            // All that can cost: somebody frozen, a new payee, a new word of nonces, calldata without zeros.
            address payee = address(uint160(uint256(keccak256(abi.encode("new payee", i)))));
            batch[i] = pay(_keys[i], payee, 12_345_678, uint256(keccak256(abi.encode("nonce", i))));
            batch[i].validBefore = type(uint256).max;
            batch[i].signature = signature(_keys[i], digest(TRANSFER, batch[i]));
        }

        _expectEach(batch, 70_000);
    }

    function _expectEach(IToken.Authorization[] memory batch, uint256 most) private {
        bytes memory data = abi.encodeCall(IToken.settle, (batch));
        uint256 intrinsic = 21_000;
        for (uint256 i = 0; i < data.length; ++i) {
            intrinsic += data[i] == 0 ? 4 : 16;
        }
        vm.cool(address(token));
        (address to, bool done, uint256 settled) = (address(token), false, 0);

        vm.prank(relayer);
        uint256 before = gasleft();
        assembly {
            done := call(gas(), to, 0, add(data, 32), mload(data), 0, 32)
            settled := mload(0)
        }
        uint256 spent = before - gasleft();

        require(done && settled == batch.length, "not all settled");
        require((intrinsic + spent) / batch.length < most, "gas");
    }

    function _batch(uint256 size, uint256 nonce) private view returns (IToken.Authorization[] memory batch) {
        batch = new IToken.Authorization[](size);
        for (uint256 i = 0; i < size; ++i) {
            batch[i] = pay(_keys[i], _payee(i), 1_234_567, nonce);
        }
    }

    function _payee(uint256 i) private pure returns (address) {
        return address(uint160(uint256(keccak256(abi.encode("payee", i)))));
    }
}
