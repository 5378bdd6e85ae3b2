"""A typed client of a toft node's wallet RPC."""

from .client import Toft
from .errors import NoAnswer, RpcError, SubscriptionEnded
from .live import Live, Subscription
from .methods import METHODS
from .pair import pair

__all__ = ["METHODS", "Live", "NoAnswer", "RpcError", "Subscription", "SubscriptionEnded", "Toft", "pair"]
