import network
import schedule

PARTIES = {
    "worker": ["a-0", "a-1"],
    "router": ["router"],
    "client": ["c-0", "c-1"],
    "group": ["a", "host-0"],
    "reader": ["a", "b"],
    "linked": ["a-0", "a-1", "c-1"],
}


def test_a_seed_determines_the_schedule():
    assert schedule.make(7, 100, 0.5, PARTIES, True) == schedule.make(7, 100, 0.5, PARTIES, True)
    assert schedule.make(7, 100, 0.5, PARTIES, True) != schedule.make(8, 100, 0.5, PARTIES, True)


def test_every_fault_occurs_and_only_at_suitable_targets():
    faults = schedule.make(1, 1000, 0.5, PARTIES, True)
    assert 1500 < len(faults) < 2500 and all(0 < fault.second < 1000 for fault in faults)
    assert {fault.kind for fault in faults} == {
        "kill",
        "stop",
        "restart",
        "pause",
        "poison",
        *network.HOST_FAULTS,
        *network.LINK_FAULTS,
    }
    for fault in faults:
        if fault.kind in network.HOST_FAULTS + network.LINK_FAULTS:
            assert fault.target in PARTIES["linked"]
    assert {fault.target for fault in faults if fault.kind == "kill"} == {"a-0", "a-1", "router", "c-0", "c-1"}
    assert {fault.target for fault in faults if fault.kind == "pause"} == {"a", "host-0"}
    assert all(0.5 <= fault.seconds <= 6 for fault in faults if fault.kind == "pause")
    assert {fault.target for fault in faults if fault.kind == "poison"} == {"a", "b"}
    # A client that is asked to end would not be restarted.
    assert not {"c-0", "c-1"} & {fault.target for fault in faults if fault.kind == "restart"}


def test_without_hosts_there_are_no_host_faults():
    assert not {fault.kind for fault in schedule.make(1, 1000, 0.5, PARTIES, False)} & set(network.HOST_FAULTS)
