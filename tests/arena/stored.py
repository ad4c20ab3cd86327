"""Battles as the database knows them, without models that answer."""

from arena.matchmaking import Pairing
from arena.models import Battle
from arena.services import start_battle
from chat.models import Message
from chat.services import Outcome, finish_answer
from chat.visitors import Visitor
from tests.support.scripted import NAMES
from tests.support.sockets import some_visitor

VISITOR = some_visitor("v")


def answered_battle(
    *, visitor: Visitor = VISITOR, prompt: str = "A question", texts: tuple[str, str] = ("x", "y")
) -> Battle:
    """Store a battle whose sides have answered."""
    pairing = Pairing(a=NAMES[0], b=NAMES[1], probability=1.0)
    battle = start_battle(visitor=visitor, pairing=pairing, prompt=prompt)
    for side, text in zip(("a", "b"), texts, strict=True):
        end_answer(battle, side, Message.State.DONE, text)
    return battle


def end_answer(battle: Battle, side: str, state: Message.State, text: str = "") -> None:
    """End the open answer of a side."""
    answer = Message.objects.get(
        conversation_id=battle.conversation_ids[side], state__in=Message.OPEN_STATES
    )
    finish_answer(message_id=answer.pk, outcome=Outcome(state, text))
