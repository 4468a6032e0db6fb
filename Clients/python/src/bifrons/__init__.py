"""A client of Bifrons, which tells photographs of real faces from AI-generated ones.

`Client` works with threads, `AsyncClient` with asyncio. Both speak ZeroMQ to routers (`tcp://`, `ipc://`) and HTTP to
gateways (`http://`, `https://`), and have the same methods.
"""

from bifrons._async import AsyncClient
from bifrons._errors import BifronsError, NoAnswer, RequestFailed
from bifrons._images import Image
from bifrons._options import Options
from bifrons._results import Evidence, Face, Failure, ImageFacts, ModelScore, Result, Verdict
from bifrons._sync import Client

__all__ = [
    "AsyncClient",
    "BifronsError",
    "Client",
    "Evidence",
    "Face",
    "Failure",
    "Image",
    "ImageFacts",
    "ModelScore",
    "NoAnswer",
    "Options",
    "RequestFailed",
    "Result",
    "Verdict",
]
__version__ = "0.1.0"
