"""Constants of the worker protocol (docs/protocol.md)."""

from enum import IntEnum

VERSION = 5
# A job's number contains the request's number and, in this many of its lowest bits, its step: 0 is the locator's.
STEP_BITS = 4


class FromWorker(IntEnum):
    """The types of messages that workers send."""

    HELLO = 1
    SCORE = 2
    FAIL = 3
    PING = 4
    CROPS = 8
    EVIDENCE = 9


class FromRouter(IntEnum):
    """The types of messages that routers send."""

    WELCOME = 65
    LOCATE = 66
    PONG = 67
    RESYNC = 68
    BYE = 69
    SCORE = 70
    EXAMINE = 71
