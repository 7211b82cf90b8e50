"""Refusals are told once, and not without end."""

from __future__ import annotations

from peerterm.core.reports import MAX_REPORTS, Reports
from peerterm.core.talk_messages import Refused
from tests.fakes.talking import LAN, fake_id


def test_refusal_is_told_once_a_link() -> None:
    """The same again says nothing, another author or reason does; after the link all begins anew."""
    reports = Reports()
    ann, bob = fake_id(1), fake_id(2)
    report = Refused(ann, LAN, bob, "forged")

    assert reports.refused(ann, LAN, bob, "forged") == [report]
    assert reports.refused(ann, LAN, bob, "forged") == []
    assert reports.refused(ann, LAN, bob, "foreign") != []
    assert reports.refused(ann, LAN, ann, "forged") != []

    reports.forget(ann)
    reports.forget(bob)

    assert reports.refused(ann, LAN, bob, "forged") == [report]


def test_reports_of_one_peer_end() -> None:
    """Who invents authors fills no log."""
    reports = Reports()
    told = [
        report for number in range(100) for report in reports.refused(fake_id(0), LAN, fake_id(number), "forged")
    ]

    assert len(told) == MAX_REPORTS
