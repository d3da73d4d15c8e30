"""The table from error to problem is whole."""

import pytest

from gateway import errors
from gateway.chain.errors import ChainReplaced, NoRelayer, RelayerStopped
from gateway.errors import GatewayError, kinds
from gateway.http.answer.problems import INTERNAL, PROBLEMS, problem_of
from gateway.keys.errors import EncryptedKeyUnreadable
from gateway.ledger.errors import TransferNotFound
from gateway.payments.errors import LineRefused

#: What only the worker, the command line or a start can meet: no request is answered with it.
NOT_OF_A_REQUEST = {
    ChainReplaced,
    RelayerStopped,
    NoRelayer,
    errors.Misconfigured,
}

#: What a request meets only by a mistake of ours: it is told nothing, the log everything.
OUR_MISTAKE = {EncryptedKeyUnreadable, TransferNotFound}

#: What is shown as its cause is.
OF_ANOTHER = {LineRefused}


ROOTS = {errors.Refused, errors.Conflict}


@pytest.mark.parametrize("error", kinds())
def test_every_error_has_a_problem(error: type[GatewayError]) -> None:
    if error in ROOTS | NOT_OF_A_REQUEST | OUR_MISTAKE | OF_ANOTHER:
        assert error not in PROBLEMS
    else:
        assert problem_of(error.__new__(error)) is not INTERNAL


def test_one_code_has_one_status_and_one_answer_to_whether_to_retry() -> None:
    for code in {problem.code for problem in PROBLEMS.values()}:
        assert len({p.status for p in PROBLEMS.values() if p.code == code}) == 1


def test_what_is_unavailable_may_be_asked_again() -> None:
    for error in kinds(errors.Unavailable):
        assert problem_of(error.__new__(error)).retryable
