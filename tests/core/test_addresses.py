"""Who may be told: addresses that are let through, and everything that is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcshell.core.addresses import check_mail, check_webhook, forbidden, split_webhook
from hpcshell.core.errors import Wrong


@pytest.mark.parametrize(
    "text",
    [
        "ada@example.org",
        "ada",
        "ada.lovelace+hpc@mail.example.org",
        "o'brien@x",
        "_svc@host-1.local",
        "a=b@example.org",
    ],
)
def test_addresses_and_local_users_are_taken_as_written(text):
    assert check_mail(text) == text


def test_several_receivers_are_separated_by_commas():
    assert check_mail("ada@example.org,  bob ,eve") == "ada@example.org,bob,eve"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "-f/etc/passwd",
        "--help@example.org",
        "ada@example.org;rm -rf ~",
        "ada@example.org\nBcc: eve@example.org",
        "ada@example.org\r\n",
        "ada\0@example.org",
        "|sh",
        "ada|sh@example.org",
        "/etc/passwd",
        "$(id)@example.org",
        "`id`",
        '"a b"@example.org',
        "ada <ada@example.org>",
        "ada@",
        "@example.org",
        "ada@exa mple.org",
        "ada@-example.org",
        "ada@example..org",
        "ada@@example.org",
        "ädä@example.org",
        "ada@example.org,",
        "a" * 65,
        "ada@" + "a." * 200 + "org",
        ",".join(["ada@example.org"] * 11),
        "x," * 1_000_000,
    ],
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(Wrong) as refusal:
        check_mail(text)
    assert len(str(refusal.value)) < 300
    assert "--mail-user" in refusal.value.message


@given(st.text())
def test_whatever_passes_is_harmless_on_a_command_line_and_in_a_header(text):
    try:
        passed = check_mail(text)
    except Wrong:
        return
    assert passed.isascii()
    assert passed.isprintable()
    assert not any(part.startswith("-") for part in passed.split(","))
    assert not set(passed) & set(' ;|&$`<>()"\\\n')


@pytest.mark.parametrize(
    ("url", "host", "port", "target", "authority"),
    [
        ("https://example.org", "example.org", 443, "/", "example.org"),
        (
            "http://example.org:8080/a/b?c=%20",
            "example.org",
            8080,
            "/a/b?c=%20",
            "example.org:8080",
        ),
        ("HTTPS://Example.org/x", "Example.org", 443, "/x", "Example.org"),
        ("https://example.org?token=1", "example.org", 443, "/?token=1", "example.org"),
        ("http://[2001:db8::1]:81/x", "2001:db8::1", 81, "/x", "[2001:db8::1]:81"),
        ("http://192.0.2.7/", "192.0.2.7", 80, "/", "192.0.2.7"),
        ("http://my_host.lab/", "my_host.lab", 80, "/", "my_host.lab"),
    ],
)
def test_a_web_address_is_taken_apart(url, host, port, target, authority):
    found = split_webhook(url)
    assert (found.host, found.port, found.target) == (host, port, target)
    assert found.authority == authority
    assert found.site.endswith(authority)
    assert check_webhook(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "file:///etc/passwd",
        "ftp://example.org/",
        "gopher://example.org/",
        "javascript:alert(1)",
        "http://",
        "http:///x",
        "http://:80/",
        "http://example.org:0/",
        "http://example.org:65536/",
        "http://example.org:/",
        "http://example.org:99999999999999999999/",
        "http://user:secret@example.org/",
        "http://example.org@169.254.169.254/",
        "http://example.org\\@evil.org/",
        "http://example.org/#fragment",
        "http://example.org/a b",
        "http://example.org/\r\nX-Evil: 1",
        "http://example.org/\x1b[2J",
        "http://exämple.org/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://127.1/",
        "http://0177.0.0.1/",
        "http://1.2.3.999/",
        "http://[::1/",
        "http://[::zz]/",
        "http://-example.org/",
        "http://example..org/",
        "http://" + "a" * 300 + "/",
        "https://example.org/" + "x" * 1_000_000,
    ],
)
def test_what_cannot_be_posted_to_is_refused(url):
    with pytest.raises(Wrong) as refusal:
        check_webhook(url)
    assert len(str(refusal.value)) < 300
    assert "\x1b" not in str(refusal.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[fe80::1]/",
        "http://[fd00:ec2::254]/",
        "http://[::ffff:169.254.169.254]/",
        "http://0.0.0.0/",
        "http://[::]/",
        "http://255.255.255.255/",
        "http://224.0.0.1/",
    ],
)
def test_some_addresses_are_refused_whatever_is_configured(url):
    with pytest.raises(Wrong, match="notices are not sent"):
        check_webhook(url, private=True)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://localhost:80/",
        "http://a.LOCALHOST./",
        "http://[::1]/",
        "http://10.0.0.1/",
    ],
)
def test_private_addresses_need_the_configuration(url):
    assert check_webhook(url, private=True) == url
    with pytest.raises(Wrong) as refusal:
        check_webhook(url, private=False)
    assert "webhook_private" in str(refusal.value)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "240.0.0.1",
        "::1",
        "fc00::1",
        "fd12:3456::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a00:1",
        "2002:7f00:1::1",
        "2002:c0a8:101::1",
    ],
)
def test_addresses_within_are_for_the_configuration_to_allow(address):
    assert forbidden(address, private=False)
    assert forbidden(address, private=True) is None


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.0.1",
        "fe80::1",
        "fe80::1%eth0",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "fd00:ec2::254",
        "100.100.100.200",
        "168.63.129.16",
        "0.0.0.0",
        "::",
        "255.255.255.255",
        "224.0.0.1",
        "ff02::1",
        "not an address",
    ],
)
def test_addresses_that_are_never_allowed(address):
    assert forbidden(address, private=True)
    assert forbidden(address, private=False)


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1"])
def test_public_addresses_are_allowed(address):
    assert forbidden(address, private=False) is None
