"""The picture of a name: the same wherever it is met, told apart from others, and read by everybody."""

from gateway.web.avatar import Avatar, avatar_of, contrast_of

NAMES = [f"@person_{number}" for number in range(2_000)]


def rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def test_it_follows_from_the_name() -> None:
    assert avatar_of("@alice") == Avatar("#247d8f", "#24598f", "M0 44L44 0v44z", 270, "A")
    names = ("@alice", "@noodle_bar", "@_", "@a__b_c", "0xab12")
    assert [avatar_of(name).letters for name in names] == ["A", "NB", "?", "AB", "A"]


def test_letters_are_read_on_every_colour() -> None:
    for one in map(avatar_of, NAMES):
        for colour in (one.ground, one.colour):
            assert contrast_of(rgb(colour), (255, 255, 255)) >= 4.5, one
        assert contrast_of(rgb(one.ground), rgb("#181c1f")) >= 3, "the circle on a dark card (WCAG 2.2, 1.4.11)"


def test_people_are_told_apart() -> None:
    of = [(one.ground, one.shape, one.turn) for one in map(avatar_of, NAMES)]
    assert len(set(of)) > 700
    assert max(of.count(one) for one in set(of)) < 12
