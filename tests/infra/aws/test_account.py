"""Who we are on AWS: by moto's server, by none, and by answers that say no; each failure in one line."""

import socket
import time
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError, ProfileNotFound
from botocore.stub import Stubber

from infra.aws.account import Identity, client, explained, who_am_i
from infra.aws.errors import AccountError, AwsError
from infra.aws.key_policy import GROUP_ROLE, SPOT_ROLE
from infra.aws.service_roles import ensure_service_roles
from tests.infra.aws.things import ACCOUNT, REGION

SPOT = "spot.amazonaws.com"


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "told\nat length"}}, "DescribeThings")


def test_the_account_tells_who_we_are(aws: str) -> None:
    me = who_am_i(client("sts", REGION))
    assert me.account_id == ACCOUNT
    assert me.arn.startswith(f"arn:aws:sts::{ACCOUNT}:")


def test_a_session_is_known_to_policies_by_its_role() -> None:
    session = Identity(account_id=ACCOUNT, arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/Admin_1/me@home")
    assert session.principal_arns == (
        f"arn:aws:iam::{ACCOUNT}:role/Admin_1", f"arn:aws:iam::{ACCOUNT}:role/*/Admin_1",
    )  # fmt: skip
    user = Identity(account_id=ACCOUNT, arn=f"arn:aws:iam::{ACCOUNT}:user/team/me")
    assert user.principal_arns == (user.arn,)


def test_no_credentials_is_one_line_with_what_to_do(aws: str, monkeypatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(
        AccountError, match="no AWS credentials to ask for your AWS account; run `aws sso login`"
    ):
        who_am_i(client("sts", REGION))


def test_a_profile_that_is_in_no_file(aws: str, monkeypatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(AccountError, match="AWS_PROFILE=nobody is in no file"):
        client("sts", REGION)


def test_no_region_says_how_to_set_one(aws: str, monkeypatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(AccountError, match="no AWS region is set"):
        client("ec2")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert client("ec2").meta.region_name == "eu-west-1"


def test_nobody_there_is_told_within_bounds(aws: str, monkeypatch) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        begun = time.monotonic()
        with pytest.raises(AccountError, match="AWS does not answer about your AWS account"):
            who_am_i(client("sts", REGION, retries={"mode": "standard", "total_max_attempts": 1}))
        assert time.monotonic() - begun < 20


def test_every_wait_has_an_end(aws: str) -> None:
    config = client("ec2", REGION).meta.config
    assert (config.connect_timeout, config.read_timeout) == (5.0, 30.0)
    assert config.retries["total_max_attempts"] == 4
    assert client("ec2", REGION, read_timeout=7).meta.config.read_timeout == 7


@pytest.mark.parametrize(
    ("code", "kind", "says"),
    [
        ("ExpiredToken", AccountError, "have expired; run `aws sso login`"),
        ("RequestExpired", AccountError, "have expired"),
        ("InvalidClientTokenId", AccountError, r"does not know your credentials \(InvalidClientTokenId\)"),
        (
            "UnauthorizedOperation",
            AccountError,
            r"may not ask for things \(DescribeThings: UnauthorizedOperation\)",
        ),
        (
            "InsufficientInstanceCapacity",
            AwsError,
            r"refuses things \(DescribeThings: Insuff.*\): told at length",
        ),
    ],
)
def test_what_aws_refuses_is_one_line(code: str, kind: type[AwsError], says: str) -> None:
    with pytest.raises(kind, match=says) as told, explained("things"):
        raise refused(code)
    assert "\n" not in str(told.value)
    assert isinstance(told.value, AccountError) is (kind is AccountError)


def test_what_is_not_aws_s_passes() -> None:
    with pytest.raises(KeyError), explained("things"):
        raise KeyError("ours")
    with pytest.raises(AccountError), explained("things"):
        raise ProfileNotFound(profile="x")


def test_the_group_s_role_is_made_once_and_is_the_one_that_the_key_names(aws: str) -> None:
    iam = client("iam", REGION)
    assert ensure_service_roles(iam, spot=False) == ("AWSServiceRoleForAutoScaling",)
    assert ensure_service_roles(iam, spot=False) == ()
    (role,) = iam.list_roles()["Roles"]
    assert role["Arn"] == f"arn:aws:iam::{ACCOUNT}:{GROUP_ROLE}"


def test_the_spot_service_has_its_own(aws: str) -> None:
    """moto gives this one another name than AWS does, so that its answers are given here."""
    iam = client("iam", REGION)
    name = SPOT_ROLE.rpartition("/")[2]
    assert f"role/aws-service-role/{SPOT}/{name}" == SPOT_ROLE
    role = {
        "Path": f"/aws-service-role/{SPOT}/", "RoleName": name, "RoleId": "AROA1234567890123456",
        "Arn": f"arn:aws:iam::{ACCOUNT}:{SPOT_ROLE}", "CreateDate": datetime(2026, 11, 28, tzinfo=UTC),
    }  # fmt: skip
    with Stubber(iam) as stub:
        stub.add_response("get_role", {"Role": role}, {"RoleName": "AWSServiceRoleForAutoScaling"})
        stub.add_client_error("get_role", "NoSuchEntity", "none", 404)
        stub.add_response("create_service_linked_role", {"Role": role}, {"AWSServiceName": SPOT})
        assert ensure_service_roles(iam, spot=True) == (name,)
        stub.assert_no_pending_responses()
        stub.add_response("get_role", {"Role": role}, {"RoleName": "AWSServiceRoleForAutoScaling"})
        stub.add_client_error("get_role", "NoSuchEntity", "none", 404)
        stub.add_client_error("create_service_linked_role", "AccessDenied", "no", 403)
        with pytest.raises(AccountError, match=rf"may not ask for the role {name} \(CreateServiceLinkedRole"):
            ensure_service_roles(iam, spot=True)
