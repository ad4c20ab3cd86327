"""The sockets of the scripted site: the protocol of the real ones, no models behind.

Prompts that hold `cut:N` close the connection once, before token N of an answer is sent; prompts
that hold `error:CODE` are refused with that code.
"""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, ClassVar

from channels.generic.websocket import AsyncJsonWebsocketConsumer

from tests.frontend.scripted_answers import ScriptedAnswer, scripted_answer

Event = dict[str, Any]
TICK_S = 0.02


async def deltas(answer: ScriptedAnswer, *, from_seq: int) -> AsyncIterator[Event]:
    """Yield delta events from a token on, and the event that ends the answer."""
    seq = from_seq
    while True:
        reason = answer.finish_reason
        if seq < (end := answer.available):
            text = "".join(answer.pieces[seq:end])
            yield {"type": "delta", "seq": seq, "count": end - seq, "text": text}
            seq = end
        if reason == "error":
            yield {"type": "error", "code": "worker_lost", "message": "the worker is gone"}
            return
        if reason:
            usage = {"prompt_tokens": 7, "completion_tokens": seq}
            yield {"type": "done", "finish_reason": reason, "usage": usage}
            return
        await asyncio.sleep(TICK_S)


class ScriptedSocket(AsyncJsonWebsocketConsumer):
    """What both sockets share: tasks that stream, refusals, cut connections."""

    cut_answers: ClassVar[list[ScriptedAnswer]] = []

    async def connect(self) -> None:
        self.tasks: list[asyncio.Task[None]] = []
        await self.accept()

    async def disconnect(self, code: int) -> None:
        self.stop_streaming()

    def stop_streaming(self) -> None:
        for task in self.tasks:
            task.cancel()
        self.tasks = []

    def stream(self, answer: ScriptedAnswer, prompt: str, seq: int, extra: Event) -> None:
        self.tasks.append(asyncio.create_task(self.send_deltas(answer, prompt, seq, extra)))

    async def send_deltas(
        self, answer: ScriptedAnswer, prompt: str, seq: int, extra: Event
    ) -> None:
        async for event in deltas(answer, from_seq=seq):
            cut = re.search(r"cut:(\d+)", prompt)
            is_due = cut and event.get("seq", 0) + event.get("count", 0) > int(cut[1])
            if is_due and answer not in self.cut_answers:
                self.cut_answers.append(answer)
                with suppress(RuntimeError):  # the other side may have cut it already
                    await self.close()
                return
            await self.send_json({**event, **extra})

    async def refused(self, prompt: str) -> bool:
        if found := re.search(r"error:(\w+)", prompt):
            code = found[1]
            await self.send_json(
                {"type": "error", "code": code, "message": "refused", "retry_after_s": 9}
            )
        return bool(found)


class ScriptedBattle(ScriptedSocket):
    """Battles of `model-one` and `model-two`, kept in memory."""

    battles: ClassVar[dict[str, Event]] = {}

    def state(self) -> Event:
        turns = [
            {
                "prompt": turn["prompt"],
                **{side: self.side_state(turn[side]) for side in "ab"},
            }
            for turn in self.battle["turns"]
        ]
        return {"type": "battle", "id": self.battle["id"], "state": "served", "turns": turns}

    def side_state(self, answer: ScriptedAnswer) -> Event:
        reason = answer.finish_reason
        state = {"text": answer.text if reason else "", "finish_reason": reason}
        return {**state, "error": {"code": "worker_lost"}} if reason == "error" else state

    async def receive_json(self, content: Event, **kwargs: Any) -> None:
        match content:
            case {"type": "prompt", "text": str(text)}:
                if not await self.refused(text):
                    await self.play(text)
            case {"type": "stop"}:
                for side in "ab":
                    self.battle["turns"][-1][side].stop()
            case {"type": "regenerate"}:
                await self.answer_again()
            case {"type": "vote", "winner": winner}:
                self.battle["winner"] = winner
                await self.send_json(self.voted())
            case {"type": "new"}:
                self.stop_streaming()
                del self.battle
            case {"type": "resume", "battle": battle, "seq": seq}:
                await self.resume(battle, seq)

    async def play(self, text: str) -> None:
        if not hasattr(self, "battle"):
            self.battle: Event = {"id": secrets.token_hex(16), "turns": [], "winner": None}
            self.battles[self.battle["id"]] = self.battle
        turn = {"prompt": text, **{side: scripted_answer(text, side=side) for side in "ab"}}
        self.battle["turns"].append(turn)
        is_first = len(self.battle["turns"]) == 1
        await self.send_json(
            self.state() if is_first else {"type": "accepted", "sides": ["a", "b"]}
        )
        for side in "ab":
            self.stream(turn[side], text, 0, {"side": side})

    async def answer_again(self) -> None:
        turn = self.battle["turns"][-1]
        failed = [side for side in "ab" if turn[side].finish_reason == "error"]
        sides = failed or ["a", "b"]
        await self.send_json({"type": "accepted", "sides": sides})
        for side in sides:
            turn[side] = scripted_answer(turn["prompt"], side=side, attempt=1)
            self.stream(turn[side], turn["prompt"], 0, {"side": side})

    async def resume(self, battle: str, seq: int | dict[str, int]) -> None:
        self.stop_streaming()
        if battle not in self.battles:
            await self.send_json({"type": "error", "code": "battle_not_found", "message": "gone"})
            return
        self.battle = self.battles[battle]
        await self.send_json(self.state())
        if self.battle["winner"]:
            await self.send_json(self.voted())
            return
        turn = self.battle["turns"][-1]
        for side in "ab":
            if turn[side].finish_reason is not None:
                continue
            from_seq = seq if isinstance(seq, int) else seq[side]
            self.stream(turn[side], turn["prompt"], from_seq, {"side": side})

    def voted(self) -> Event:
        models = {"a": "model-one", "b": "model-two"}
        return {"type": "voted", "winner": self.battle["winner"], "models": models}


class ScriptedChat(ScriptedSocket):
    """One conversation a socket, and those of earlier sockets by id."""

    conversations: ClassVar[dict[str, Event]] = {}

    async def receive_json(self, content: Event, **kwargs: Any) -> None:
        match content:
            case {"type": "prompt", "text": str(text)}:
                if not await self.refused(text):
                    await self.play(text, content)
            case {"type": "stop"}:
                self.conversation["answer"].stop()
            case {"type": "regenerate"}:
                await self.send_json({"type": "accepted"})
                self.answer(self.conversation["prompt"], attempt=1)
            case {"type": "resume", "conversation": conversation, "seq": int(seq)}:
                self.stop_streaming()
                self.conversation = self.conversations[conversation]
                await self.send_json(self.state())
                answer = self.conversation["answer"]
                if answer.finish_reason is None:
                    self.stream(answer, self.conversation["prompt"], seq, {})

    def state(self) -> Event:
        """The conversation with its messages; an open answer comes as deltas."""
        reason = self.conversation["answer"].finish_reason
        answer = {
            "role": "assistant",
            "content": self.conversation["answer"].text if reason else "",
            "finish_reason": reason,
        }
        messages = [{"role": "user", "content": self.conversation["prompt"]}, answer]
        return {**self.named(), "messages": messages}

    def named(self) -> Event:
        event = {key: self.conversation[key] for key in ("id", "title", "model")}
        return {"type": "conversation", **event}

    async def play(self, text: str, content: Event) -> None:
        if "conversation" not in content:
            self.conversation: Event = {
                "id": secrets.token_hex(16),
                "title": text[:60],
                "model": content["model"],
            }
            self.conversations[self.conversation["id"]] = self.conversation
            await self.send_json(self.named())
        else:
            await self.send_json({"type": "accepted"})
        self.conversation["params"] = content.get("params")
        self.answer(text)

    def answer(self, prompt: str, *, attempt: int = 0) -> None:
        answer = scripted_answer(prompt, side="b", attempt=attempt)
        self.conversation |= {"prompt": prompt, "answer": answer}
        self.stream(answer, prompt, 0, {})
