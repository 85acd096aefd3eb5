"""The location service (RFC 3261 section 10.3)."""

from __future__ import annotations

import pytest

from hookswitch_transport_sip.registrar.registration import RegistrationRefused
from hookswitch_transport_sip.sip.hop import Hop

from .registers import AOR, PHONE, kinds, location, registration

ONE, TWO = "Contact: <sip:alice@192.0.2.10>", "Contact: <sip:alice@192.0.2.20>"


def test_a_contact_comes_is_refreshed_and_goes() -> None:
    table = location()
    assert kinds(table.register(registration(ONE), 100.0)) == [("added", "sip:alice@192.0.2.10")]
    (binding,) = table.of(AOR)
    assert (binding.id, binding.granted, binding.expires_at) == ("1", 3600, 3700.0)
    again = registration(ONE, "Expires: 60", cseq=2)
    assert kinds(table.register(again, 200.0)) == [("refreshed", "sip:alice@192.0.2.10")]
    (binding,) = table.of(AOR)
    assert (binding.id, binding.granted, binding.expires_at) == ("1", 60, 260.0)
    gone = registration(ONE, "Expires: 0", cseq=3)
    assert kinds(table.register(gone, 210.0)) == [("unregistered", "sip:alice@192.0.2.10")]
    assert table.of(AOR) == []
    assert len(table) == 0
    assert table.next_timer() is None
    assert not table.has_host("192.0.2.10")


def test_several_contacts_in_order_of_preference() -> None:
    table = location()
    table.register(registration("Contact: <sip:a@h1>;q=0.2, <sip:a@h2>;q=0.9"), 0.0)
    table.register(registration("Contact: <sip:a@h3>;q=0.5", call_id="c2"), 0.0)
    assert [str(b.contact) for b in table.of(AOR)] == ["sip:a@h2", "sip:a@h3", "sip:a@h1"]


def test_all_are_taken_away_at_once() -> None:
    table = location()
    table.register(registration(ONE, TWO), 0.0)
    changes = table.register(registration("Contact: *", "Expires: 0", cseq=2), 1.0)
    assert [kind for kind, _ in kinds(changes)] == ["unregistered"] * 2
    assert len(table) == 0


@pytest.mark.parametrize("cseq", [1, 2])
@pytest.mark.parametrize("fields", [[ONE], [ONE, "Expires: 0"], ["Contact: *", "Expires: 0"]])
def test_what_comes_late_changes_nothing(fields: list[str], cseq: int) -> None:
    table = location()
    table.register(registration(ONE, cseq=2), 0.0)
    with pytest.raises(RegistrationRefused) as refused:
        table.register(registration(*fields, cseq=cseq), 1.0)
    assert refused.value.status == 500
    assert table.of(AOR)[0].expires_at == 3600.0


def test_another_call_id_has_its_own_order() -> None:
    table = location()
    table.register(registration(ONE, cseq=7), 0.0)
    table.register(registration(ONE, cseq=1, call_id="after-a-restart"), 1.0)
    assert table.of(AOR)[0].cseq == 1


def test_all_or_nothing() -> None:
    table = location()
    with pytest.raises(RegistrationRefused) as refused:
        table.register(registration(ONE, "Contact: <sip:b@h>;expires=59"), 0.0)
    assert (refused.value.status, refused.value.headers) == (423, (("Min-Expires", "60"),))
    assert len(table) == 0


def test_too_long_is_shortened() -> None:
    table = location()
    table.register(registration(ONE, "Expires: 999999"), 0.0)
    assert table.of(AOR)[0].granted == 7200


@pytest.mark.parametrize(("most", "granted"), [(300, 300), (1, 60), (9999, 600)])
def test_a_decision_may_shorten_it_further(most: int, granted: int) -> None:
    table = location()
    table.register(registration(ONE, "Expires: 600"), 0.0, max_expires=most)
    assert table.of(AOR)[0].granted == granted


def test_there_is_a_limit_to_contacts() -> None:
    table = location()
    table.register(registration("Contact: <sip:a@h1>, <sip:a@h2>, <sip:a@h3>"), 0.0)
    with pytest.raises(RegistrationRefused) as refused:
        table.register(registration("Contact: <sip:a@h4>", cseq=2), 1.0)
    assert refused.value.status == 403
    table.register(registration("Contact: <sip:a@h1>", cseq=3), 1.0)
    assert len(table) == 3


def test_time_takes_them_away_in_order() -> None:
    table = location()
    table.register(registration("Contact: <sip:a@h1>;expires=120, <sip:a@h2>;expires=60"), 0.0)
    assert table.next_timer() == 60.0
    assert kinds(table.handle_timer(60.0)) == [("ttl", "sip:a@h2")]
    table.register(registration("Contact: <sip:a@h1>;expires=300", cseq=2), 100.0)
    assert table.handle_timer(399.0) == [], "it was refreshed"
    assert kinds(table.handle_timer(400.0)) == [("ttl", "sip:a@h1")]
    assert table.next_timer() is None


def test_the_application_takes_one_away() -> None:
    table = location()
    table.register(registration(ONE, TWO), 0.0)
    binding = table.find("2")
    assert binding is not None
    assert kinds([table.remove(binding)]) == [("forced", "sip:alice@192.0.2.20")]
    assert table.find("2") is None
    assert len(table.of(AOR)) == 1


def test_where_users_are_is_known() -> None:
    table = location()
    table.register(registration(ONE), 0.0)
    assert table.has_host("192.0.2.10")
    assert table.user_at(AOR, PHONE)
    assert not table.user_at(AOR, Hop("192.0.2.10", 5061))
    elsewhere = Hop("192.0.2.11", 5060)
    table.register(registration(ONE, cseq=2, source=elsewhere), 1.0)
    assert not table.has_host("192.0.2.10")
    assert table.user_at(AOR, elsewhere)


def test_equal_contacts_are_one_however_they_are_written() -> None:
    table = location()
    table.register(registration("Contact: <sip:%61lice@Phone.Example.com;x=1>"), 0.0)
    table.register(registration("Contact: <sip:alice@phone.example.com>", cseq=2), 1.0)
    assert len(table) == 1
    table.register(registration("Contact: <sip:alice@phone.example.com:5060>", cseq=3), 1.0)
    assert len(table) == 2
