"""Examples of requests and answers, for the OpenAPI document (api/examples.py)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gateway.api.example_values import ALICE, ALICE_ADDRESS, MINUTES_LATER, MONTH_LATER, NOW, SIGNATURE
from gateway.api.identity.shapes import (
    AddressRequest,
    AssertionChallengeView,
    AssertionRequest,
    BindRequest,
    BoundView,
    CapView,
    ChallengeView,
    ClaimRequest,
    EthereumChallengeRequest,
    EthereumSessionRequest,
    EthereumSignUpRequest,
    HandleRequest,
    HandleView,
    KeyRequest,
    KeysPage,
    KeyView,
    LinkSessionRequest,
    NewHandleView,
    NewKeyView,
    NewPasskeyChallengeView,
    PasskeyRequest,
    PasskeysPage,
    PasskeyView,
    RecoveryCodesConfirmationRequest,
    RecoveryCodesStatusView,
    RecoveryCodesView,
    RecoverySessionRequest,
    ReplaceKeyRequest,
    SessionsPage,
    SessionView,
    SignedUpView,
    SignUpRequest,
)
from gateway.identity.sign_in.siwe import SignIn

#: Bytes in base64url, as WebAuthn encodes them.
BYTES = "Y2hhbGxlbmdlLW9mLTMyLWJ5dGVzLWluLWJhc2U2NHVybA"
LINK = LinkSessionRequest("gl_3m1hNRbgGzOdZlGmPbyC8q2vGtU5hCzVkq1rWq9xYfE")
ASSERTION = AssertionRequest(BYTES, BYTES, BYTES, BYTES)
ASSERTION_CHALLENGE = AssertionChallengeView(BYTES, BYTES, "pay.example", [BYTES], MINUTES_LATER)
ANY_PASSKEY = replace(ASSERTION_CHALLENGE, allow=[])
NEW_PASSKEY_CHALLENGE = NewPasskeyChallengeView(
    BYTES, "pay.example", BYTES, "@alice", [-8, -7, -257], [], MINUTES_LATER
)
PASSKEY = PasskeyView("psk_01h455vb4pex5vsknk084sn02q", "Laptop", True, NOW, None)
SESSION = SessionView(
    id="ses_01h455vb4pex5vsknk084sn02q",
    handle="alice",
    wallet_id=ALICE,
    sign_in_method="passkey",
    device="Mozilla/5.0 (X11; Linux x86_64) Chrome/149.0",
    current=True,
    created_at=NOW,
    last_used_at=NOW,
    expires_at=MONTH_LATER,
    fresh_until=MINUTES_LATER,
)
SIGN_IN = SignIn(
    domain="pay.example",
    address=ALICE_ADDRESS,
    statement="I sign in to the wallet of @alice.",
    uri="https://pay.example",
    chain_id=31337,
    nonce="q8k2m4x7z1c5v9b3",
    issued_at=datetime.fromisoformat(NOW),
    expires_at=datetime.fromisoformat(MINUTES_LATER),
    resource=f"urn:gateway:wallet:{ALICE}",
).text()
KEY = KeyView(
    id="key_01h455vb4pex5vsknk084sn02q",
    name="Web shop",
    scopes=["pay", "read"],
    caps=[CapView("EUR", "ledger", "@bob", "50.00", "200.00")],
    networks=["192.0.2.0/24"],
    created_at=NOW,
    expires_at=MONTH_LATER,
    last_used_at=None,
    current=False,
    needs_approval=False,
)
NEW_KEY = NewKeyView(**msgspec.structs.asdict(KEY), api_key="gw_Zk1vX3…")

#: The request of each call, by its operation id.
REQUESTS: Final[Mapping[str, Struct]] = {
    "claim_handle": ClaimRequest("alice"),
    "challenge_sign_up": HandleRequest("alice"),
    "sign_up": SignUpRequest("alice", BYTES, "Laptop", BYTES, BYTES),
    "challenge_ethereum_sign_up": EthereumSignUpRequest("alice", ALICE_ADDRESS),
    "sign_up_with_ethereum": EthereumSessionRequest(SIGN_IN, SIGNATURE),
    "challenge_address": AddressRequest(ALICE_ADDRESS),
    "bind_address": BindRequest(SIGN_IN, SIGNATURE),
    "add_passkey": PasskeyRequest("Laptop", BYTES, BYTES),
    "start_passkey_session": ASSERTION,
    "challenge_ethereum_session": EthereumChallengeRequest("alice"),
    "start_ethereum_session": EthereumSessionRequest(SIGN_IN, SIGNATURE),
    "start_link_session": LINK,
    "start_recovery_session": RecoverySessionRequest("alice", "k7fm-2q9x-0c4t-hhz3"),
    "confirm_recovery_codes": RecoveryCodesConfirmationRequest("k7fm-2q9x-0c4t-hhz3"),
    "create_api_key": KeyRequest("Web shop", ["read", "pay"], list(KEY.caps), ["192.0.2.0/24"], 2_592_000),
    "replace_api_key": ReplaceKeyRequest(600),
}

#: The answers of each call, by its operation id: that of its first status, and of others where there are any.
ANSWERS: Final[Mapping[str, Struct]] = {
    "claim_handle": NewHandleView("alice", ALICE, ALICE_ADDRESS, "gw_Zk1vX3…"),
    "get_handle": HandleView("alice", ALICE, ALICE_ADDRESS, "gateway"),
    "challenge_sign_up": NEW_PASSKEY_CHALLENGE,
    "sign_up": SignedUpView("alice", ALICE, ALICE_ADDRESS, "gw_Zk1vX3…", SESSION),
    "challenge_ethereum_sign_up": ChallengeView(SIGN_IN, ALICE_ADDRESS, MINUTES_LATER),
    "sign_up_with_ethereum": SignedUpView(
        "alice", ALICE, ALICE_ADDRESS, "gw_Zk1vX3…", replace(SESSION, sign_in_method="ethereum")
    ),
    "challenge_address": ChallengeView(SIGN_IN, ALICE_ADDRESS, MINUTES_LATER),
    "bind_address": BoundView("alice", ALICE, ALICE_ADDRESS, "owner"),
    "challenge_passkey": NEW_PASSKEY_CHALLENGE,
    "list_passkeys": PasskeysPage([PASSKEY], 10, NOW),
    "add_passkey": PASSKEY,
    "revoke_passkey": PASSKEY,
    "create_recovery_codes": RecoveryCodesView(["k7fm-2q9x-0c4t-hhz3", "9w3d-1xk8-vq5n-7rj2"]),
    "confirm_recovery_codes": RecoveryCodesStatusView(10, NOW),
    "challenge_passkey_session": ANY_PASSKEY,
    "start_passkey_session": SESSION,
    "challenge_ethereum_session": ChallengeView(SIGN_IN, ALICE_ADDRESS, MINUTES_LATER),
    "start_ethereum_session": replace(SESSION, sign_in_method="ethereum"),
    "start_link_session": replace(SESSION, sign_in_method="link", fresh_until=SESSION.expires_at),
    "start_recovery_session": replace(SESSION, sign_in_method="recovery_code", fresh_until=None),
    "list_sessions": SessionsPage([SESSION]),
    "end_session": SESSION,
    "create_api_key": NEW_KEY,
    "list_api_keys": KeysPage([KEY]),
    "replace_api_key": NEW_KEY,
    "revoke_api_key": KEY,
    "approve_api_key": KEY,
}
