"""What rows say about how many events there were."""

from __future__ import annotations

from typing import Any

import pytest

from activitylog.estimates import Tally


def tally(*rows: Any) -> Tally:
    """Rows of weight, count and unit."""
    added = Tally()
    for row in rows:
        added.add(*row)
    return added


class TestEstimate:
    def test_rows_that_were_not_drawn_are_exact(self) -> None:
        """Weight 1 adds its count and no error."""
        estimate = tally((1, 1), (1, 5)).estimate()
        assert (estimate.total, estimate.standard_error, estimate.trust, estimate.reason) == (6, 0, "exact", "")

    def test_single_rows_are_a_draw_each(self) -> None:
        """The variance of each is w(w - 1)y²."""
        estimate = tally(*[(4.0, 1)] * 100).estimate()
        assert estimate.total == 400
        assert estimate.standard_error == pytest.approx(1200**0.5)
        assert estimate.draws_in_effect == pytest.approx(100)
        assert (estimate.draws, estimate.trust) == (100, "yes")

    def test_the_rows_of_a_unit_are_one_draw(self) -> None:
        """Ten rows of each of ten sessions are ten draws of ten events, not a hundred of one."""
        estimate = tally(*[(4.0, 1, ("session", str(n % 10))) for n in range(100)]).estimate()
        assert estimate.standard_error == pytest.approx((10 * 12 * 100) ** 0.5)
        assert (estimate.draws, estimate.trust, estimate.reason) == (10, "no", "fewer than 30 draws in effect")

    def test_one_draw_that_is_large_is_not_trusted(self) -> None:
        """More than 5 % of what was drawn hangs on it."""
        estimate = tally(*[(2.0, 1)] * 1000, (2.0, 80)).estimate()
        assert (estimate.trust, estimate.reason) == ("no", "one draw has more than 5 %")

    def test_rows_that_lack_their_unit_are_not_trusted(self) -> None:
        """Nobody knows which of them go together."""
        rows = [(2.0, 1, ("session", str(n))) for n in range(100)]
        assert tally(*rows).estimate().trust == "yes"
        assert (
            tally(*rows, (2.0, 1, ("session", ""))).estimate().reason.startswith("the rows do not have the unit")
        )

    def test_nothing_says_nothing(self) -> None:
        """No row is no proof that there was no event."""
        assert (Tally().estimate().trust, Tally().estimate().reason) == ("no", "no row was kept")

    def test_the_interval_holds_what_is_within_1_96_errors(self) -> None:
        """And an exact one holds its own total."""
        estimate = tally(*[(4.0, 1)] * 100).estimate()
        assert [estimate.covers(400 + error) for error in (-67, 67, -69, 69)] == [True, True, False, False]
        assert tally((1, 3)).estimate().covers(3)
        assert not tally((1, 3)).estimate().covers(4)

    def test_tallies_add_up(self) -> None:
        """In parts or at once is the same."""
        rows = [(1.0 + n % 3, n, *([("actor", str(n % 7))] if n % 2 else [])) for n in range(60)]
        one, other = tally(*rows[:25]), tally(*rows[25:])
        one.add_all(other)
        whole = tally(*rows)
        assert one.rows == whole.rows == 60
        assert one.estimate().total == pytest.approx(whole.estimate().total)
        assert one.estimate().standard_error == pytest.approx(whole.estimate().standard_error)
        assert one.estimate().draws == whole.estimate().draws
