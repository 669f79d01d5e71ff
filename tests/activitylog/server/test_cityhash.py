"""CityHash128 1.0.2: the values come from the C++ release, by way of go-faster/city's CH128."""

from __future__ import annotations

import struct

import pytest

from activitylog.server.cityhash import city_hash_128, fastest_city_hash_128


def sample(length: int) -> bytes:
    return bytes((i * i * 31 + i * 7 + length) & 255 for i in range(length))


@pytest.mark.parametrize(
    ("data", "low", "high"),
    [
        (b"Moscow", 3377444358654451565, 2499202049363713365),
        (sample(0), 4463240938071824939, 4374473821787594281),
        (sample(1), 6486216246284730220, 6388508064046246170),
        (sample(3), 5668161883048693707, 678053265697702877),
        (sample(4), 11894876530299356605, 3037740228320794514),
        (sample(7), 17904758009042291017, 13847772057716234495),
        (sample(8), 16539359298515699590, 18171772794106630674),
        (sample(9), 6403471577049406900, 3950567069364441518),
        (sample(15), 5229841294170957847, 5588541257864452153),
        (sample(16), 14370465377299749568, 8632216427360767230),
        (sample(17), 14114572658924977587, 16996469569274878152),
        (sample(24), 11640356699379549833, 7581009278578006486),
        (sample(32), 16702057688468247930, 16116785026564422866),
        (sample(33), 12091532504222485934, 3542634721687199293),
        (sample(48), 14222964208256105147, 12859971356717898016),
        (sample(143), 13662052924764073826, 16223901204092358567),
        (sample(144), 13868475996660350767, 18255675779387710036),
        (sample(145), 2047063375542679017, 9936467899642422835),
        (sample(160), 10923656738336988892, 8457904043302844831),
        (sample(175), 6590337325599725288, 16060220647733984737),
        (sample(176), 1517967800351771828, 17149801604341167417),
        (sample(200), 14595117952525808770, 10048522783831009490),
        (sample(271), 14126866260522659321, 3295501187360904221),
        (sample(272), 1193175075011258504, 14294816992994626452),
        (sample(273), 7980179342372275758, 15643913776794355382),
        (sample(400), 6876665653195522144, 12115991040522735838),
        (sample(699), 18444754483737180266, 12568532810267321774),
    ],
    ids=lambda value: str(len(value)) if isinstance(value, bytes) else "",
)
def test_equals_the_reference(data: bytes, low: int, high: int):
    """Every branch of the algorithm gives the reference's value."""
    assert city_hash_128(data) == struct.pack("<QQ", low, high)


def test_the_fastest_is_the_same_function():
    """Whether compiled or not, the checksum is the same."""
    assert fastest_city_hash_128()(sample(1000)) == city_hash_128(sample(1000))
