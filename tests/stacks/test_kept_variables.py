"""What a timer keeps of a shell, and what a later shell takes of it."""

from stacks.kept_variables import KEY, NEVER, borrow, lacking, to_keep

URL = "RUNPOD_REST_V2_API_URL"
RUNPOD = {KEY: "mine", URL: "http://simulated.test/v2"}


def test_no_secret_of_a_cloud_that_has_profiles_is_kept() -> None:
    shell = dict.fromkeys(NEVER, "planted") | {
        "AWS_PROFILE": "survey",
        "HTTPS_PROXY": "http://p",
        "PATH": "/bin",
    }
    assert to_keep(shell, {}, key=True) == {"AWS_PROFILE": "survey", "HTTPS_PROXY": "http://p"}
    assert lacking(shell) == list(NEVER)
    assert lacking({"AWS_PROFILE": "survey"}) == []


def test_a_key_stays_with_its_address_and_goes_only_where_it_is_meant() -> None:
    assert to_keep(RUNPOD, {}, key=True) == RUNPOD
    assert to_keep(RUNPOD, {}, key=False) == {}
    assert to_keep({URL: "http://other.test"}, RUNPOD, key=True) == RUNPOD
    assert to_keep({KEY: "real"}, RUNPOD, key=True) == {KEY: "real"}
    assert to_keep({KEY: "real"}, RUNPOD, key=False) == RUNPOD


def test_what_the_shell_says_nothing_of_stays_as_it_was_kept() -> None:
    kept = {"AWS_PROFILE": "survey", "AWS_REGION": "eu-west-1", "AZURE_SUBSCRIPTION_ID": "a"}
    assert to_keep({"AWS_PROFILE": "other"}, kept, key=True) == {
        "AWS_PROFILE": "other", "AZURE_SUBSCRIPTION_ID": "a",
    }  # fmt: skip


def test_a_shell_that_speaks_of_a_cloud_itself_borrows_nothing_of_it() -> None:
    kept = {**RUNPOD, "AWS_PROFILE": "survey", "AZURE_SUBSCRIPTION_ID": "a"}
    bare: dict[str, str] = {URL: "http://other.test"}
    borrow(bare, kept)
    assert bare == kept
    shell = {KEY: "real", "AWS_ACCESS_KEY_ID": "own"}
    borrow(shell, kept)
    assert shell == {KEY: "real", "AWS_ACCESS_KEY_ID": "own", "AZURE_SUBSCRIPTION_ID": "a"}
