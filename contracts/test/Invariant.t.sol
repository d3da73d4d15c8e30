// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IToken} from "../src/IToken.sol";
import {Token} from "../src/Token.sol";
import {TokenSetup} from "./TokenSetup.sol";
import {Vm, vm} from "./Vm.sol";

/// @dev Does at random what anybody may do to the token, and keeps a plain model of what should have come of it: a
/// list of balances, and who has been told what about which nonce. The model reads nothing but the calls' answers and
/// their logs.
contract Crowd is TokenSetup {
    uint256 private constant PEOPLE = 5;
    uint256 private constant NONCES = 40;

    mapping(address => uint256) public balance;
    uint256 public supply;

    mapping(address => mapping(bytes32 => uint256)) public timesUsed;
    mapping(address => mapping(bytes32 => uint256)) public timesCanceled;
    mapping(bytes32 => uint256) public timesMinted;

    uint256 public moves;
    uint256 public settlements;
    uint256 public skips;
    string public broken;

    uint256[] private _keys;
    bytes32[] private _references;

    constructor() {
        for (uint256 i = 0; i < PEOPLE; ++i) {
            _keys.push(uint256(keccak256(abi.encode("person", i))));
            _references.push(keccak256(abi.encode("reference", i)));
        }
        setUp();
    }

    function people() public view returns (address[] memory all) {
        all = new address[](PEOPLE);
        for (uint256 i = 0; i < PEOPLE; ++i) {
            all[i] = vm.addr(_keys[i]);
        }
    }

    /// @dev The nonces they use: NONCES of them, over two words.
    function nonces() public pure returns (bytes32[] memory all) {
        all = new bytes32[](NONCES);
        for (uint256 i = 0; i < NONCES; ++i) {
            all[i] = bytes32(i * 13);
        }
    }

    function tokenUnderTest() public view returns (Token) {
        return token;
    }

    // What may happen. The logs of a call that reverts are recorded as well, and mean nothing.

    function mintSome(uint256 seed) external {
        IToken.Mint[] memory batch = new IToken.Mint[](3);
        for (uint256 i = 0; i < batch.length; ++i) {
            uint256 dice = _dice(seed, i);
            bytes32 ref = dice % 3 == 0 ? _references[dice % PEOPLE] : keccak256(abi.encode(dice));
            batch[i] = IToken.Mint(_somebody(dice >> 8), (dice >> 16) % 1000, dice % 31 == 0 ? bytes32(0) : ref);
        }

        vm.recordLogs();
        vm.prank(minter);
        try token.mint(batch) {
            _observe();
        } catch {}
    }

    function settleSome(uint256 seed) external {
        IToken.Authorization[] memory batch = new IToken.Authorization[](8);
        for (uint256 i = 0; i < batch.length; ++i) {
            batch[i] = _authorization(_dice(seed, i));
        }

        vm.recordLogs();
        vm.prank(relayer);
        try token.settle(batch) returns (uint256 settled) {
            settlements += settled;
            skips += batch.length - settled;
            _observe();
        } catch {
            if (!token.paused()) broken = "a batch reverted";
        }
    }

    function sendOne(uint256 seed) external {
        IToken.Authorization memory a = _authorization(_dice(seed, 0));

        vm.recordLogs();
        try token.transferWithAuthorization(a.from, a.to, a.value, a.validAfter, a.validBefore, a.nonce, a.signature) {
            _observe();
        } catch {}
    }

    function cancelOne(uint256 seed) external {
        uint256 key = _keys[seed % PEOPLE];
        bytes32 nonce = nonces()[(seed >> 8) % NONCES];
        bytes memory signed = signature(key, cancelDigest(vm.addr(key), nonce));

        vm.recordLogs();
        try token.cancelAuthorization(vm.addr(key), nonce, signed) {
            _observe();
        } catch {}
    }

    function transferOne(uint256 seed, uint256 value) external {
        vm.recordLogs();
        vm.prank(vm.addr(_keys[seed % PEOPLE]));
        try token.transfer(_somebody(seed >> 8), value % 1500) {
            _observe();
        } catch {}
    }

    function redeemOne(uint256 seed, uint256 value) external {
        vm.recordLogs();
        vm.prank(vm.addr(_keys[seed % PEOPLE]));
        try token.redeem(value % 1500) {
            _observe();
        } catch {}
    }

    function freezeOrThaw(uint256 seed) external {
        address account = vm.addr(_keys[seed % PEOPLE]);
        token.frozen(account) ? unfreeze(account) : freeze(account);
    }

    function pauseNowAndThen(uint256 seed) external {
        if (token.paused()) {
            vm.prank(pauser);
            token.unpause();
        } else if (seed % 4 == 0) {
            pause();
        }
    }

    // What has come of it

    function _observe() private {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            bytes32 name = logs[i].topics[0];
            if (name == TRANSFERRED) {
                _move(_account(logs[i].topics[1]), _account(logs[i].topics[2]), abi.decode(logs[i].data, (uint256)));
            } else if (name == USED) {
                ++timesUsed[_account(logs[i].topics[1])][logs[i].topics[2]];
                if (logs[i + 1].topics[0] != TRANSFERRED) broken = "used without a transfer";
                if (logs[i + 1].topics[1] != logs[i].topics[1]) broken = "used for another's transfer";
            } else if (name == CANCELED) {
                ++timesCanceled[_account(logs[i].topics[1])][logs[i].topics[2]];
            } else if (name == MINTED) {
                ++timesMinted[logs[i].topics[2]];
                if (timesMinted[logs[i].topics[2]] > 1) broken = "a reference minted twice";
            }
        }
    }

    function _move(address from, address to, uint256 value) private {
        ++moves;
        if (token.paused()) broken = "moved while paused";
        if (token.frozen(from) || token.frozen(to)) broken = "the frozen moved";
        if (to == address(token)) broken = "sent to the token";

        if (from == address(0)) supply += value;
        else balance[from] -= value;
        if (to == address(0)) supply -= value;
        else balance[to] += value;
    }

    function _authorization(uint256 dice) private view returns (IToken.Authorization memory a) {
        uint256 key = _keys[dice % PEOPLE];
        a = pay(key, _somebody(dice >> 8), (dice >> 16) % 600, uint256(nonces()[(dice >> 32) % NONCES]));
        if ((dice >> 64) % 8 == 0) a.signature = signature(key + 1, digest(TRANSFER, a));
        if ((dice >> 72) % 8 == 0) a.validBefore = NOW;
    }

    /// @dev One of the people mostly; now and then the token itself, or nobody.
    function _somebody(uint256 dice) private view returns (address) {
        uint256 who = dice % (PEOPLE + 2);
        if (who == PEOPLE) return address(token);
        if (who == PEOPLE + 1) return address(0);
        return vm.addr(_keys[who]);
    }

    function _dice(uint256 seed, uint256 i) private pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, i)));
    }

    function _account(bytes32 word) private pure returns (address) {
        return address(uint160(uint256(word)));
    }
}

contract InvariantTest {
    Crowd private _crowd;
    Token private _token;

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function setUp() public {
        _crowd = new Crowd();
        _token = _crowd.tokenUnderTest();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_crowd);
    }

    function targetSelectors() public view returns (FuzzSelector[] memory selectors) {
        bytes4[] memory doings = new bytes4[](9);
        doings[0] = Crowd.mintSome.selector;
        doings[1] = Crowd.settleSome.selector;
        doings[2] = Crowd.settleSome.selector;
        doings[3] = Crowd.sendOne.selector;
        doings[4] = Crowd.cancelOne.selector;
        doings[5] = Crowd.transferOne.selector;
        doings[6] = Crowd.redeemOne.selector;
        doings[7] = Crowd.freezeOrThaw.selector;
        doings[8] = Crowd.pauseNowAndThen.selector;
        selectors = new FuzzSelector[](1);
        selectors[0] = FuzzSelector(address(_crowd), doings);
    }

    function invariant_the_supply_is_the_sum_of_the_balances() public view {
        address[] memory people = _crowd.people();
        uint256 sum;
        for (uint256 i = 0; i < people.length; ++i) {
            uint256 balance = _token.balanceOf(people[i]);
            require(balance == _crowd.balance(people[i]), "the logs tell another balance");
            sum += balance;
        }
        require(sum == _token.totalSupply(), "supply");
        require(sum == _crowd.supply(), "the logs tell another supply");
        require(_token.balanceOf(address(_token)) == 0, "the token holds tokens");
    }

    function invariant_no_authorization_ends_twice() public view {
        address[] memory people = _crowd.people();
        bytes32[] memory nonces = _crowd.nonces();
        for (uint256 i = 0; i < people.length; ++i) {
            for (uint256 j = 0; j < nonces.length; ++j) {
                uint256 ends = _crowd.timesUsed(people[i], nonces[j]) + _crowd.timesCanceled(people[i], nonces[j]);
                require(ends < 2, "ended twice");
                require(_token.authorizationState(people[i], nonces[j]) == (ends == 1), "state");
            }
        }
    }

    function invariant_the_frozen_never_move_nor_does_anything_while_paused() public view {
        require(bytes(_crowd.broken()).length == 0, _crowd.broken());
    }

    /// @dev Guards the guards: a crowd that never gets anything done would keep every invariant.
    function test_the_crowd_gets_things_done() public {
        for (uint256 i = 0; i < 40; ++i) {
            _crowd.mintSome(i);
            _crowd.settleSome(i);
            _crowd.sendOne(i);
            _crowd.cancelOne(i);
            _crowd.transferOne(i, i);
            _crowd.redeemOne(i, i);
            if (i % 8 == 0) _crowd.freezeOrThaw(i);
        }

        require(_crowd.settlements() > 30 && _crowd.skips() > 30, "hardly anything settled, or skipped");
        require(_crowd.moves() > _crowd.settlements() + 20, "hardly anything minted, transferred or redeemed");
    }
}
