"""What moderators decide: flags resolved, authors kept out, bans lifted."""

from datetime import timedelta

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from chat.models import Ban, ModerationFlag

Moderator = AbstractBaseUser | AnonymousUser


def resolve_flags(
    *, flags: QuerySet[ModerationFlag], reviewer: Moderator, status: ModerationFlag.Status
) -> int:
    """Close flags; return how many were not closed in this way already."""
    return flags.exclude(status=status).update(
        status=status, reviewer_id=reviewer.pk, reviewed_at=timezone.now()
    )


@transaction.atomic
def ban_authors(
    *, flags: QuerySet[ModerationFlag], moderator: Moderator, duration: timedelta
) -> int:
    """Ban everybody whose conversation has one of the flags; return how many bans were made."""
    until = timezone.now() + duration
    authors = {
        (flag.message.conversation.user_id, flag.message.conversation.visitor): flag.category
        for flag in flags.select_related("message__conversation")
    }
    bans = [
        Ban(
            user_id=user_id,
            visitor=visitor,
            reason=category,
            created_by_id=moderator.pk,
            expires_at=until,
        )
        for (user_id, visitor), category in authors.items()
        if user_id or visitor
    ]
    return len(Ban.objects.bulk_create(bans))


def lift_bans(*, bans: QuerySet[Ban]) -> int:
    """End bans that are in force; return how many."""
    return bans.filter(lifted_at=None).update(lifted_at=timezone.now())
