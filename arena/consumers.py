"""The socket of the battle page, `/ws/battle/`."""

from typing import Any, ClassVar

from arena import rounds
from arena.exceptions import ArenaError, BattleNotFoundError
from arena.models import Battle, Vote
from arena.selectors import BattleTurn, battle_of, battle_turns, open_sides
from arena.services import abandon_battle, record_vote
from chat.database import in_database
from chat.exceptions import ChatError
from chat.models import Message
from chat.sockets import Event, EventSocket, unknown_event
from inference.exceptions import InferenceError

FIELDS_OF_EVENTS = {
    "prompt": "a text",
    "vote": 'a winner, one of "a", "b", "tie" and "both_bad"',
    "resume": 'a battle and a seq: a whole number from 0, or {"a": number, "b": number}',
}


class BattleConsumer(EventSocket):
    """One visitor's battles, one after the other."""

    known_errors: ClassVar[tuple[type[Exception], ...]] = (ArenaError, ChatError, InferenceError)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.battle_id = ""

    async def handle(self, event: Event) -> None:
        """Answer one event."""
        match event:
            case {"type": "prompt", "text": str(text)}:
                await self.prompt(text)
            case {"type": "stop"}:
                await rounds.stop_round(await self.battle())
            case {"type": "regenerate"}:
                await self.regenerate()
            case {"type": "vote", "winner": str(winner)} if winner in Vote.Winner.values:
                await self.vote(Vote.Winner(winner))
            case {"type": "new"}:
                await self.leave()
            case {"type": "resume", "battle": str(battle_id), "seq": seq} if is_position(seq):
                await self.resume(battle_id, seq)
            case _:
                raise unknown_event(event, FIELDS_OF_EVENTS)

    def refusal(self, error: Exception) -> Event:
        """Return the `error` event; words of the ground floor might name a model."""
        if isinstance(error, InferenceError):
            event = rounds.error_event("", error.code, getattr(error, "retry_after_s", None))
            return {key: value for key, value in event.items() if key != "side"}
        return super().refusal(error)

    async def prompt(self, text: str) -> None:
        """Store a prompt, say so, and stream both answers."""
        if self.battle_id:
            battle = await rounds.go_on(self.visitor, battle_id=self.battle_id, text=text)
            answers = await in_database(open_sides, battle)
            await self.send_event({"type": "accepted", "sides": sorted(answers)})
        else:
            battle = await rounds.open_battle(self.visitor, text=text)
            self.battle_id = battle.public_id
            event, answers = await in_database(battle_state, battle, {})
            await self.send_event(event)
        await self.stream(rounds.stream_round(battle, answers))

    async def regenerate(self) -> None:
        """Ask again for what failed, or for both answers."""
        battle, again = await rounds.ask_again(self.visitor, battle_id=self.battle_id)
        sides = {key: side for side, key in battle.conversation_ids.items()}
        answers = {sides[answer.conversation_id]: answer for answer in again}
        await self.send_event({"type": "accepted", "sides": sorted(answers)})
        await self.stream(rounds.stream_round(battle, answers))

    async def vote(self, winner: Vote.Winner) -> None:
        """Store the verdict and reveal the models."""
        vote = await in_database(
            record_vote, visitor=self.visitor, battle_id=self.battle_id, winner=winner
        )
        await self.send_event({"type": "voted", **revealed(vote.battle, vote)})

    async def leave(self) -> None:
        """Give the battle up; what is being written for it is stopped."""
        if not self.battle_id:
            return
        battle = await self.battle()
        self.battle_id = ""
        await self.stop_streaming()
        await in_database(abandon_battle, visitor=self.visitor, battle_id=battle.public_id)
        await rounds.stop_round(battle)

    async def resume(self, battle_id: str, seq: int | dict[str, int]) -> None:
        """Show a battle as it stands and stream what is being written from a token on."""
        battle = await in_database(battle_of, self.visitor, battle_id)
        position = seq if isinstance(seq, dict) else {"a": seq, "b": seq}
        event, answers = await in_database(battle_state, battle, position)
        self.battle_id = battle.public_id
        await self.stop_streaming()
        await self.send_event(event)
        if answers:
            await self.stream(rounds.stream_round(battle, answers, from_seq=position))

    async def battle(self) -> Battle:
        """Return the battle of this socket.

        Raises:
            BattleNotFoundError: it has none.
        """
        if not self.battle_id:
            raise BattleNotFoundError
        return await in_database(battle_of, self.visitor, self.battle_id)


def battle_state(battle: Battle, position: dict[str, int]) -> tuple[Event, dict[str, Message]]:
    """Return the `battle` event and the answers that are being written, by side.

    Args:
        battle: with its models, and its vote if it has one.
        position: the token from which the stream of each open side goes on, 0 where missing.
    """
    event: Event = {
        "type": "battle",
        "id": battle.public_id,
        "state": battle.state,
        "turns": [turn_state(turn, position) for turn in battle_turns(battle)],
    }
    if battle.is_voted:
        event |= revealed(battle, battle.vote)
    return event, open_sides(battle)


def turn_state(turn: BattleTurn, position: dict[str, int]) -> Event:
    """Return one turn as the page shows it.

    An answer that is being written is shown without text: it follows as deltas from `seq` on.
    """
    state: Event = {"prompt": turn.prompt}
    for side, answer in sorted(turn.answers.items()):
        if answer.is_open:
            state[side] = {"text": "", "finish_reason": None, "seq": position.get(side, 0)}
        elif answer.is_complete:
            state[side] = {"text": answer.content, "finish_reason": answer.finish_reason}
        else:
            error = rounds.error_event(side, answer.error_code, None)
            told = {"code": error["code"], "message": error["message"]}
            state[side] = {"text": answer.content, "finish_reason": "error", "error": told}
    return state


def revealed(battle: Battle, vote: Vote) -> Event:
    """Return what a voter learns; only for a battle with a vote."""
    assert battle.is_voted
    models = {"a": battle.model_a.name, "b": battle.model_b.name}
    return {"winner": vote.winner, "models": models}


def is_position(seq: object) -> bool:
    """Tell whether this is a token to go on from: a number for both sides, or one a side."""
    numbers = list(seq.values()) if isinstance(seq, dict) else [seq]
    sides = set(seq) if isinstance(seq, dict) else set()
    return sides <= {"a", "b"} and all(
        isinstance(number, int) and not isinstance(number, bool) and number >= 0
        for number in numbers
    )
