"""Does the safety net hold? `make mutations` takes each guard out of a copy of the code and expects its test to fail.

A suite that has never failed proves nothing. Each row names the guard, where it is, what it is replaced by, and the test
that must notice. The last rows plant what `make check` forbids.
"""

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTEST = (sys.executable, "-m", "pytest", "-q", "-x", "--no-header", "-p", "no:cacheprovider")
CHECK = (sys.executable, "-m", "tests.check")


@dataclass(frozen=True)
class Mutation:
    """`old` in `file` becomes `new` (an empty `old` appends); then `command` must fail and say `saying`."""

    guard: str
    file: str
    old: str
    new: str
    command: tuple[str, ...]
    saying: str = ""


def test(path: str) -> tuple[str, ...]:
    """The command that runs one test."""
    return (*PYTEST, path)


LINK_CODES = "tests/users/test_link_codes.py"
ERASURES = "tests/users/test_erasures.py"

MUTATIONS = [
    Mutation(
        "the slots of a session",
        "services/reviews/booking.py",
        "    if len(session.execute(taken).all()) != len(rows):",
        "    if session.execute(taken).all() is None:",
        test("tests/reviews/test_sessions.py::test_twenty_at_once_book_one_time_once"),
    ),
    Mutation(
        "the pause of a professional",
        "services/reviews/booking.py",
        "_slots(meeting.starts_at, ends_at + buffer)",
        "_slots(meeting.starts_at, ends_at)",
        test("tests/reviews/test_sessions.py::test_a_professional_has_ten_minutes_between_sessions"),
    ),
    Mutation(
        "the weekly maximum",
        "services/reviews/booking.py",
        "    if (session.scalar(within) or 0) >= reviewer.max_reviews_per_week:",
        "    if False:",
        test(
            "tests/reviews/test_sessions.py::test_the_weekly_maximum_is_kept_and_a_move_within_the_week_is_no_further_one"
        ),
    ),
    Mutation(
        "the notice before a session",
        "services/reviews/booking.py",
        "    if starts_at < earliest():",
        "    if False:",
        test("tests/reviews/test_sessions.py::test_notice_and_horizon_are_kept"),
    ),
    Mutation(
        "the windows of a professional",
        "services/reviews/booking.py",
        "    if (low, high) not in spans:",
        "    if False:",
        test("tests/reviews/test_sessions.py::test_no_session_outside_of_the_windows_of_the_professional"),
    ),
    Mutation(
        "the lock of a professional's week",
        "services/reviews/professionals.py",
        "    statement = select(Professional).where(Professional.id == professional_id).with_for_update()",
        "    statement = select(Professional).where(Professional.id == professional_id)",
        test("tests/reviews/test_sessions.py::test_the_week_of_a_professional_is_not_overrun_by_many_at_once"),
    ),
    Mutation(
        "a cancelled session gives its time back",
        "services/reviews/sessions.py",
        "    booking.free(session, meeting)\n    turn(session, request,",
        "    turn(session, request,",
        test("tests/reviews/test_sessions.py::test_cancelling_frees_the_time_and_opens_the_request_again"),
    ),
    Mutation(
        "the signature of forms",
        "services/reviews/forms_api.py",
        "    if not any(hmac.compare_digest(one, right) for one in signatures[:10]):",
        "    if False:",
        test("tests/reviews/test_api.py::TestForms"),
    ),
    Mutation(
        "one purpose of a link",
        "services/reviews/note_links.py",
        "    if kind != purpose or",
        "    if",
        test("tests/reviews/test_api.py::TestLinks"),
    ),
    Mutation(
        "a response of a form is applied once",
        "services/reviews/forms.py",
        "    if session.scalar(row.on_conflict_do_nothing().returning(FormResponse.response_id)) is None:",
        "    session.scalar(row.on_conflict_do_nothing().returning(FormResponse.response_id))\n    if False:",
        test("tests/reviews/test_api.py::TestForms"),
    ),
    Mutation(
        "a reminder is told once",
        "services/reviews/chores.py",
        "~known.exists()",
        "Meeting.id.is_not(None)",
        test("tests/reviews/test_chores.py"),
    ),
    Mutation(
        "guard of the rate",
        "fleet/rates.py",
        "    WHERE w.used < :limit OR w.ends_at <= clock_timestamp()\n",
        "",
        test("tests/fleet/test_rates.py::test_fifty_at_once_get_exactly_the_rate"),
    ),
    Mutation(
        "one use of a mailed token",
        "services/users/one_time.py",
        "OneTimeToken.used_at.is_(None), ",
        "",
        test("tests/users/test_recovery.py::TestVerification::test_of_twenty_at_once_one_is_told_it_worked"),
    ),
    Mutation(
        "one change of roles at a time",
        "services/users/moderation.py",
        "    session.execute(select(func.pg_advisory_xact_lock(ONE_AT_A_TIME)))\n",
        "",
        test("tests/users/test_moderation.py::TestRoles::test_admins_who_demote_one_another_leave_one"),
    ),
    Mutation(
        "lease of a mail",
        "fleet/mail.py",
        "due_at = now() + make_interval(secs => :lease) ",
        "due_at = now() + make_interval(secs => :lease * 0) ",
        test("tests/fleet/test_mail.py::test_several_senders_send_each_mail_once"),
    ),
    Mutation(
        "erasure: an id stays taken",
        "services/users/privacy.py",
        "    if tombstones:\n",
        "    if not tombstones:\n",
        test(f"{ERASURES}::TestComingBack::test_a_sighting_that_crosses_the_erasure_brings_nobody_back"),
    ),
    Mutation(
        "erasure: one admin remains",
        "services/users/erasures.py",
        "    moderation.refuse_last_admin(session, member)\n",
        "",
        test(f"{ERASURES}::TestByAdmin::test_one_admin_always_remains"),
    ),
    Mutation(
        "erasure: completed once",
        "services/users/erasures.py",
        "if erasure.answered_at is None and session.scalar",
        "if session.scalar",
        test(f"{ERASURES}::TestAnswers::test_it_can_be_asked_for_once_more_after_a_restore"),
    ),
    Mutation(
        "erasure: nobody is led back too early",
        "services/users/erasures.py",
        "    if erasure.answered_at is not None:\n        _lead",
        "    if erasure.id:\n        _lead",
        test(
            f"{ERASURES}::TestComingBack::test_a_command_makes_a_new_member_and_the_derived_id_leads_there_when_all_is_forgotten"
        ),
    ),
    Mutation(
        "erasure: the last letter does not keep the address",
        "services/users/erasures.py",
        "        session.execute(delete(mail_queue).where(mail_queue.c.id == erasure.letter_id))\n",
        "",
        test(f"{ERASURES}::TestLetter::test_one_that_nobody_takes_does_not_keep_the_address"),
    ),
    Mutation(
        "export: each part once",
        "services/users/exports.py",
        " or task.parts != number",
        "",
        test("tests/users/test_exports.py::test_an_answer_that_comes_twice_or_late_is_counted_once_and_kept_nowhere"),
    ),
    Mutation(
        "bot: no name is written down behind an erasure",
        "services/bot/people.py",
        "    session.execute(select(func.pg_advisory_xact_lock_shared(FORGETTING)))\n",
        "",
        test("tests/bot/test_privacy.py::test_a_sighting_that_crosses_the_erasure_writes_no_name_down"),
    ),
    Mutation(
        "bot: a press is written down before it is acknowledged",
        "services/bot/calls.py",
        "        held = not self.acknowledged\n",
        "        await self.acknowledge()\n        held = not self.acknowledged\n",
        test(
            "tests/bot/test_client.py::test_killed_before_discord_knows_that_a_command_was_taken_it_is_answered_all_the_same"
        ),
    ),
    Mutation(
        "bot: an answer waits for the first word",
        "services/bot/calls.py",
        "            acknowledged=self.acknowledged,\n",
        "            acknowledged=True,\n",
        test("tests/bot/test_client.py::test_an_answer_that_is_quicker_than_the_first_word_waits_for_it"),
    ),
    Mutation(
        "bot: a notice is locked while its question goes",
        "services/bot/notices.py",
        ".order_by(Notice.id).with_for_update()",
        "",
        test(
            "tests/bot/test_notices.py::test_words_that_are_being_asked_for_while_the_notice_changes_or_goes_are_not_kept"
        ),
    ),
    Mutation(
        "reviews: a file is held while it is recorded",
        "services/reviews/resumes.py",
        "    files.hold_kept(session, stored, data)\n",
        "",
        test("tests/reviews/test_privacy.py::test_who_records_a_file_and_who_forgets_it_wait_for_each_other"),
    ),
    Mutation(
        "bot: answers for nobody",
        "services/bot/privacy.py",
        "    forgetting.refuse_answers(session, nobody_waits_for)\n",
        "",
        test("tests/bot/test_privacy.py::test_an_answer_that_comes_after_the_erasure_is_not_kept"),
    ),
    Mutation(
        "points: no word comes late",
        "services/points/submissions.py",
        "    ledger.refuse_forgotten(session, member_id)\n",
        "",
        test("tests/points/test_privacy.py::test_no_word_that_comes_late_is_kept"),
    ),
    Mutation(
        "points: who came back is left alone",
        "services/points/privacy.py",
        "        if member_id not in gone:\n",
        "        if member_id:\n",
        test(
            "tests/points/test_privacy.py::test_an_erasure_that_is_asked_for_once_more_takes_nothing_from_who_came_back"
        ),
    ),
    Mutation(
        "link: one claimant of a code",
        "services/users/link_codes.py",
        "            or_(LinkCode.claimed_by.is_(None), LinkCode.claimed_by == typed.discord_id),\n",
        "",
        test(f"{LINK_CODES}::TestClaiming::test_of_a_hundred_who_type_one_code_one_has_claimed_it_and_one_is_linked"),
    ),
    Mutation(
        "link: a code that has ended",
        "services/users/link_codes.py",
        "return LinkCode.outcome.is_(None), LinkCode.expires_at > now(), signed_in",
        "return LinkCode.expires_at > now(), signed_in",
        test(f"{LINK_CODES}::TestClaiming::test_every_code_that_is_not_good_gets_the_same_answer"),
    ),
    Mutation(
        "link: the sign-in behind a code",
        "services/users/link_codes.py",
        "return LinkCode.outcome.is_(None), LinkCode.expires_at > now(), signed_in",
        "return LinkCode.outcome.is_(None), LinkCode.expires_at > now()",
        test(f"{LINK_CODES}::TestConfirming::test_a_claimed_code_that_ends_links_nobody"),
    ),
    Mutation(
        "link: a try is counted before its code is looked at",
        "services/users/link_codes.py",
        "if seconds := rates.take(session, limits.link_tries(), typed.discord_id):",
        "if seconds := rates.wait(session, limits.link_tries(), typed.discord_id):",
        test(f"{LINK_CODES}::TestGuessing::test_of_twenty_guesses_at_once_five_are_looked_at"),
    ),
    Mutation(
        "link: both sides",
        "services/users/link_codes.py",
        "if code.discord_confirmed_at is None or code.web_confirmed_at is None:",
        "if code.discord_confirmed_at is None and code.web_confirmed_at is None:",
        test(f"{LINK_CODES}::TestConfirming::test_only_both_together_link_in_either_order"),
    ),
    Mutation(
        "link: the session that started",
        "services/users/link_codes.py",
        "if code.session_id != session_id:",
        "if not code.session_id:",
        test(f"{LINK_CODES}::TestConfirming::test_only_the_web_session_that_started_confirms"),
    ),
    Mutation(
        "link: the name that was shown",
        "services/users/link_codes.py",
        "if sides.code.claimed_username != discord_username:",
        "if not discord_username:",
        test(f"{LINK_CODES}::TestConfirming::test_another_name_than_the_one_that_was_shown_is_not_confirmed"),
    ),
    Mutation(
        "link: whoever clicks must have claimed",
        "services/users/link_codes.py",
        "if code is None or code.claimed_by != discord_id:",
        "if code is None:",
        test(f"{LINK_CODES}::TestConfirming::test_only_the_claimant_confirms_in_discord"),
    ),
    Mutation(
        "link: its lock",
        "services/users/linking.py",
        "statement = select(DiscordLink).where(DiscordLink.born_id == born_id).with_for_update()",
        "statement = select(DiscordLink).where(DiscordLink.born_id == born_id)",
        test("tests/users/test_linking.py::TestRaces::test_an_unlink_that_waited_for_another_finds_nothing_to_unlink"),
    ),
    Mutation(
        "link: one member for a Discord account",
        "services/users/migrations/0001_members.py",
        '        sa.UniqueConstraint("discord_id", name="uq_members_discord_id"),\n',
        "",
        test("tests/users/test_linking.py::TestLinking::test_two_members_never_have_one_discord_account"),
    ),
    Mutation(
        "link: asked again under the lock",
        "services/users/accounts.py",
        "if member is not None and (not lock or member.id == member_id or session.scalar(leads_to) == member.id):",
        "if member is not None:",
        test(
            "tests/users/test_linking.py::TestRaces::test_what_waited_for_a_change_of_the_link_lands_where_the_account_is_now"
        ),
    ),
    Mutation(
        "link: versions of the Discord-born member go on",
        "services/users/linking.py",
        "        version=found.born_version,\n",
        "",
        test(
            "tests/users/test_linking.py::TestUnlinking::test_no_event_of_the_new_beginning_is_older_than_one_of_before"
        ),
    ),
    Mutation(
        "link: changes wait for their predecessors",
        "fleet/links.py",
        "        if row.version != applied + len(found) + 1:\n            break\n",
        "",
        test("tests/fleet/test_links.py::test_in_whatever_order_they_arrive_they_are_applied_in_theirs"),
    ),
    Mutation(
        "link: what is handed in goes along",
        "services/points/submissions.py",
        "member_id = ledger.lock_current_balance(session, member_id).member_id",
        "member_id = ledger.resolve(session, member_id)",
        test("tests/points/test_merging.py::test_a_command_that_waited_for_a_merge_lands_on_the_new_member"),
    ),
    Mutation(
        "link: no code goes further than the bot",
        "services/bot/cogs/link.py",
        "digest = code_digest(read(PeopleSettings).namespace, code)",
        "digest = code",
        test("tests/bot/test_link.py::test_a_code_in_a_public_channel_is_deleted_cancelled_and_explained"),
    ),
    Mutation(
        "sign-in with Google is bound to its browser",
        "services/users/oauth_states.py",
        "            OAuthState.browser_hash == _hash(browser),\n",
        "",
        test("tests/users/test_google.py::TestTheWayBack::test_only_in_the_browser_that_began"),
    ),
    Mutation(
        "a state of a sign-in is used up",
        "services/users/oauth_states.py",
        "delete(OAuthState)\n        .where(",
        "OAuthState.__table__.update().values(nonce=OAuthState.nonce)\n        .where(",
        test("tests/users/test_google.py::TestTheWayBack::test_a_state_is_good_once"),
    ),
    Mutation(
        "no link to an account whose address was never confirmed",
        "services/users/google_accounts.py",
        "    if member.email_verified_at is None:",
        "    if member.email_verified_at is None and session is None:",
        test(
            "tests/users/test_google.py::TestWhoItIs::test_an_account_whose_address_was_never_confirmed_is_left_alone"
        ),
    ),
    Mutation(
        "no link by an address that Google does not vouch for",
        "services/users/google_accounts.py",
        "    if not identity.email_verified:",
        "    if not identity.email:",
        test("tests/users/test_google.py::TestWhoItIs::test_an_address_that_google_does_not_vouch_for_is_none"),
    ),
    Mutation(
        "two tabs of one person are one person",
        "services/users/google_accounts.py",
        "if member is not None and member.google_subject != identity.subject:",
        "if member is not None:",
        test("tests/users/test_google.py::TestWhoItIs::test_ten_at_once_link_an_account_once_and_all_get_in"),
    ),
    Mutation(
        "nonce of an ID token",
        "services/users/google.py",
        "not secrets.compare_digest(said.encode(), nonce.encode())",
        "not said",
        test("tests/users/test_google.py::TestWhatGoogleSays::test_an_id_token_with_a_wrong_claim_is_not_believed"),
    ),
    Mutation(
        "older sightings change no name",
        "services/users/accounts.py",
        "member.discord_seen_at < seen.seen_at",
        "member.discord_seen_at",
        test("tests/users/test_discord_born.py::test_a_sighting_that_was_held_up_brings_no_old_name_back"),
    ),
    Mutation(
        "a roster nobody vouches for is not asked",
        "services/bot/roster.py",
        "confirmed_at is None or confirmed_at < now() - CURRENT_FOR",
        "confirmed_at is None",
        test("tests/bot/test_roster.py::TestWhoCanSay::test_nobody_when_the_client_has_been_silent"),
    ),
    Mutation(
        "what is told during a roll call is newer than its list",
        "services/bot/cogs/roll_call.py",
        "if not member.bot and discord_id not in told:",
        "if not member.bot:",
        test("tests/bot/test_roster.py::TestTheRoll"),
    ),
    Mutation(
        "unknown fields are refused",
        "fleet/web.py",
        "        unknown = marshmallow.RAISE",
        "        unknown = marshmallow.EXCLUDE",
        test("tests/matrix/test_mass_assignment.py"),
    ),
    Mutation(
        "a submission is its owner's",
        "services/points/submissions_api.py",
        "            submissions.of_member(session, submission_id, caller().member_id)\n",
        "            pass\n",
        test("tests/matrix/test_ownership.py"),
    ),
    Mutation(
        "a route without a row in the matrix of rights",
        "services/points/api.py",
        "",
        '\n\n@api.get("/api/points/secret/")\n@operation(who=MEMBER, answers={200: None})\n'
        'def secret() -> Answer:\n    """Nobody wrote down who gets what."""\n    return {}\n',
        (*CHECK, "conventions"),
        "tests/matrix/routes.txt: add",
    ),
    Mutation(
        "inbox check",
        "fleet/queue_worker.py",
        "for e in envelopes.values() if e.id in fresh",
        "for e in envelopes.values()",
        test("tests/faults/test_consumer.py::test_every_message_twice_and_shuffled_is_applied_once"),
    ),
    Mutation(
        "acknowledge after commit",
        "fleet/queue_worker.py",
        '                    self._apply(group)\n                self._settle(group, "applied")',
        '                    self._settle(group, "applied")\n                    self._apply(group)',
        test("tests/faults/test_consumer.py::test_killed_again_and_again_it_loses_nothing_and_doubles_nothing"),
    ),
    Mutation(
        "mandatory",
        "fleet/publisher.py",
        "self._properties(outgoing), outgoing.mandatory",
        "self._properties(outgoing), False",
        test("tests/faults/test_relay.py::test_a_message_nobody_is_bound_to_waits_and_does_not_hold_up_the_rest"),
    ),
    Mutation(
        "row lock on the balance",
        "services/points/ledger.py",
        "    .with_for_update(of=Balance)\n",
        "",
        test("tests/points/test_holds.py::test_of_one_members_points_for_one_fifty_holds_at_once_get_one"),
    ),
    Mutation(
        "the second look under the lock of an award by an admin",
        "services/points/admin_awards.py",
        "run(session, _LOCK(member=member_id), look)",
        "run(session, look)",
        test("tests/points/test_merging.py::test_a_command_that_waited_for_a_merge_lands_on_the_new_member"),
    ),
    Mutation(
        "advisory lock of the relay",
        "fleet/relay.py",
        "return bool(cursor.fetchone()[0])",
        "return True",
        test("tests/faults/test_relay.py::test_only_one_of_two_relays_publishes_and_the_other_takes_over"),
    ),
    Mutation(
        "idempotency key",
        "fleet/idempotency.py",
        "not key.try_to_take(session):",
        "not key.try_to_take(session) and session.info.get('never'):",
        test("tests/fleet/test_idempotency.py"),
    ),
    Mutation(
        "idempotency key of an award, kept with its writing",
        "services/points/api.py",
        "beside=lambda award: key.keeping(to_bytes(schemas.awarded(award)), 201),",
        "beside=lambda award: (),",
        test("tests/points/test_awarding.py::TestIdempotency::test_twenty_at_once_with_one_key_make_one_transfer"),
    ),
    Mutation(
        "a submission is decided once",
        "services/points/decisions.py",
        'Submission.status == "pending")',
        "Submission.status.is_not(None))",
        test(
            "tests/points/test_decisions.py::TestManyAtOnce::test_one_submission_approved_by_fifty_at_once_is_paid_once"
        ),
    ),
    Mutation(
        "cap of a day",
        "services/points/awards.py",
        " AND a.used < d.cap",
        "",
        test("tests/points/test_ledger.py::test_a_hundred_messages_of_a_day_at_once_award_once"),
    ),
    Mutation(
        "cap of a week",
        "services/points/awards.py",
        " AND a.used < d.cap",
        "",
        test("tests/points/test_decisions.py::TestManyAtOnce::test_a_cap_of_three_a_week_holds_under_fifty_at_once"),
    ),
    Mutation(
        "a deed is known by its reference",
        "services/points/deeds.py",
        "ON t.idempotency_key = g.key",
        "ON t.idempotency_key IS NULL",
        test("tests/points/test_ledger.py::test_the_same_reference_is_awarded_once"),
    ),
    Mutation(
        "the lock of a deed",
        "services/points/deeds.py",
        "ORDER BY b.member_id FOR UPDATE OF b",
        "ORDER BY b.member_id",
        test("tests/points/test_ledger.py::test_of_awards_at_once_each_tells_a_version_of_its_own"),
    ),
    Mutation(
        "the second look under the lock of a deed",
        "services/points/deeds.py",
        "run(session, _LOCK(ids=ids), _LOCK(ids=ids))",
        "run(session, _LOCK(ids=ids))",
        test("tests/points/test_merging.py::test_a_command_that_waited_for_a_merge_lands_on_the_new_member[deed]"),
    ),
    Mutation(
        "no award for who was merged away",
        "services/points/awards.py",
        "    if done.written != len(awards):",
        "    if done.written > len(awards):",
        test("tests/points/test_merging.py::test_no_award_is_written_for_who_was_merged_away"),
    ),
    Mutation(
        "nothing older is acknowledged with a batch",
        "fleet/queue_worker.py",
        "list(takewhile(tags.__contains__, self._open))",
        "sorted(tags)",
        test("tests/fleet/test_acknowledging.py"),
    ),
    Mutation(
        "redemption: guard of a step",
        "services/rewards/redemptions.py",
        "            Redemption.status == before.status,\n"
        "            Redemption.settling.is_not_distinct_from(before.settling),\n",
        "",
        test("tests/rewards/test_both_sides.py::test_raced_by_four_each_redemption_has_one_winner"),
    ),
    Mutation(
        "redemption: lock of the incentive",
        "services/rewards/catalog.py",
        ".with_for_update(key_share=True)",
        "",
        test(
            "tests/rewards/test_redemptions.py::test_of_twenty_requests_at_once_within_a_limit_of_three_three_are_made"
        ),
    ),
    Mutation(
        "redemption: nothing is taken from an empty shelf",
        "services/rewards/catalog.py",
        "Incentive.id == incentive.id, Incentive.stock > 0)",
        "Incentive.id == incentive.id)",
        test("tests/rewards/test_both_sides.py::test_d30_eight_parallel_redeems_with_points_for_one_and_one_item"),
    ),
    Mutation(
        "redemption: a member stands still while they ask",
        "services/rewards/members.py",
        "pg_advisory_xact_lock_shared(hashtextextended(id::text, 0))",
        "1",
        test("tests/rewards/test_merging.py::test_a_request_that_waited_for_the_merge_goes_where_the_id_leads_now"),
    ),
    Mutation(
        "redemption: what ends before approval releases its points",
        "services/rewards/saga.py",
        '"reject": Step(("pending",), "rejected", "release", item_back=True)',
        '"reject": Step(("pending",), "rejected", None, item_back=True)',
        test("tests/rewards/test_explorer.py"),
    ),
    Mutation(
        "redemption: late is not no",
        "services/rewards/saga.py",
        '        return (saga, _commands(saga)) if message.verb == "remind" else _fulfil(saga, message)',
        '        if message.verb == "remind" and saga.status == "requested":\n'
        '            return replace(saga, status="declined", settling=None, has_item=False), ()\n'
        '        return (saga, _commands(saga)) if message.verb == "remind" else _fulfil(saga, message)',
        test("tests/rewards/test_explorer.py"),
    ),
    Mutation(
        "redemption: only the price that was shown is paid",
        "services/rewards/redemptions.py",
        "if expected_points not in (None, price):",
        "if False:",
        test("tests/rewards/test_bot_messages.py::TestRedeem::test_only_the_price_that_was_shown_is_paid"),
    ),
    Mutation(
        "bot: a wish keeps its name from one press to the next",
        "services/bot/cogs/shop.py",
        'reference = f"{presser}:{wish}"',
        'reference = f"{presser}:{wish}:{call.correlation}"',
        test("tests/bot/test_shop.py::test_nothing_is_spent_before_a_yes_and_two_presses_are_one_wish"),
    ),
    Mutation(
        "bot: it vouches for holders of the staff role alone",
        "services/bot/staff_listings.py",
        "return guilds.attests(session, call.seat.guild_id, call.seat.role_ids)",
        "return True",
        test("tests/bot/test_staff.py::test_who_does_not_hold_the_role_is_not_vouched_for"),
    ),
    Mutation(
        "users: who is not vouched for must be an admin to warn",
        "services/users/moderation.py",
        "    if attested:\n",
        "    if True:\n",
        test("tests/users/test_staff_messages.py::test_only_admins_whoever_they_say_they_are"),
    ),
    Mutation(
        "points: staff's questions are answered to admins",
        "services/points/report_subscriptions.py",
        "    decisions.require_admin(session, asked.actor_member_id, ADMINS_ONLY)\n",
        "",
        test("tests/points/test_reports.py::test_staffs_questions_are_answered_to_admins_by_what_users_says_of_them"),
    ),
    Mutation(
        "points: an admin of yesterday is none",
        "fleet/auth_state.py",
        ' and newest in (None, "admin")',
        "",
        test("tests/points/test_reports.py::test_staffs_questions_are_answered_to_admins_by_what_users_says_of_them"),
    ),
    Mutation(
        "redemption: a refund follows its capture",
        "services/rewards/saga.py",
        'if wish.verb == "refund" and saga.settling == "capture":',
        'if wish.verb == "refund" and saga.settling == "nothing":',
        test("tests/rewards/test_explorer.py"),
    ),
    Mutation(
        "redemption: tombstone of a release that came first",
        "services/points/holds.py",
        '        if not _insert(session, redemption_id, balance.member_id, "voided"):\n',
        '        return _tell(session, Hold(redemption_id=redemption_id, state="released"), balance)\n'
        '        if not _insert(session, redemption_id, balance.member_id, "voided"):\n',
        test("tests/rewards/test_explorer.py::TestTwin"),
    ),
    Mutation(
        "redemption: an older balance changes nothing",
        "services/rewards/unlocks.py",
        "    WHERE m.points_version < excluded.points_version\n",
        "",
        test("tests/rewards/test_unlocks.py::test_an_older_word_that_comes_late_changes_nothing"),
    ),
    Mutation(
        "redemption: the second admin is another one",
        "services/rewards/refunds.py",
        "    if members.resolve(session, request.requested_by) == actor.member_id:",
        "    if session.info.get('never'):",
        test("tests/rewards/test_redemptions.py::TestRefunds::test_many_points_need_a_second_admin"),
    ),
    Mutation(
        "redemption: no word is written about who was forgotten",
        "services/rewards/redemptions.py",
        "            note, facts = None, {}\n",
        "            pass\n",
        test("tests/rewards/test_privacy.py::test_nothing_comes_back_late"),
    ),
    Mutation(
        "redemption: whoever asked by message is answered",
        "services/rewards/redemptions.py",
        '    if before.status == "requested":\n        awaited.answer(session, redemption)\n',
        "",
        test("tests/rewards/test_bot_messages.py::TestRedeem::test_it_is_answered_once_points_are_held"),
    ),
    Mutation(
        "redemption: only admins of Propel decide",
        "services/rewards/members.py",
        "    if not auth_state.may_act_as_admin(session, actor, role):",
        "    if session.info.get('never'):",
        test("tests/rewards/test_bot_messages.py::test_only_an_admin_of_propel_decides_whatever_discord_says"),
    ),
    Mutation(
        "import from one service into another",
        "services/points/boards.py",
        "",
        "\nfrom services.users import accounts  # noqa\n",
        (*CHECK, "imports"),
        "Services never import one another",
    ),
    Mutation(
        "pika reachable from a domain module",
        "services/points/calendar.py",
        "",
        "\nfrom fleet import publisher  # noqa\n",
        (*CHECK, "imports"),
        "reach neither Flask nor pika",
    ),
    Mutation(
        "a route without a decision about who may call it",
        "services/points/api.py",
        "",
        '\n\n@api.get("/api/points/secret/")\ndef secret() -> Answer:\n    """Nobody said who may read this."""\n    return {}\n',
        (*CHECK, "conventions"),
        "say who may call it",
    ),
    Mutation(
        "an event without a golden file",
        "fleet/contracts/points.py",
        "",
        '\n\n@event("points.forgotten.v1")\n@dataclass(frozen=True)\nclass Forgotten:\n    """Nobody wrote its sample."""\n\n    member_id: UUID\n',
        (*CHECK, "conventions"),
        "has no golden file",
    ),
    Mutation(
        "the lock under which positions are given",
        "services/integrations/feed.py",
        ".where(FeedHead.id == 1).with_for_update()).scalar()",
        ".where(FeedHead.id == 1)).scalar()",
        test("tests/integrations/test_feed.py::test_positions_become_visible_in_their_order_whoever_commits_first"),
    ),
    Mutation(
        "a delivery is its worker's alone for a while",
        "services/integrations/deliveries.py",
        "due_at = now() + make_interval(secs => :lease)",
        "due_at = now() + 0 * make_interval(secs => :lease)",
        test("tests/integrations/test_webhooks.py::test_two_workers_never_send_one_delivery_at_once"),
    ),
    Mutation(
        "addresses within our network",
        "services/integrations/posting.py",
        "    return address.is_global and not address.is_multicast",
        "    return True",
        test("tests/integrations/test_webhooks.py"),
    ),
    Mutation(
        "the secret of an API key",
        "services/integrations/keys.py",
        "    if key is None or not hmac.compare_digest(bytes(key.hash), sha256(token.encode()).digest()):",
        "    if key is None:",
        test("tests/integrations/test_keys.py::test_the_secret_of_another_key_does_not_open"),
    ),
    Mutation(
        "who was forgotten stays so for what comes late",
        "services/integrations/feed.py",
        "        if member_id in forgotten and",
        "        if False and",
        test("tests/integrations/test_privacy.py::test_what_comes_late_brings_nobody_back"),
    ),
    Mutation(
        "a message that is given up is written down before it is acknowledged",
        "fleet/queue_worker.py",
        "                    dead_letters.keep(session, dead)",
        "                    pass",
        test("tests/faults/test_dead_letters.py::test_those_of_one_cause_or_type_are_chosen_together"),
    ),
    Mutation(
        "what the broker gave up is written down before it is acknowledged",
        "fleet/desk.py",
        "            dead_letters.keep(session, dead)",
        "            pass",
        test("tests/faults/test_dead_letters.py::test_what_the_broker_gave_up_is_taken_out_of_the_dead_queue"),
    ),
    Mutation(
        "a restored service counts on where nobody has been",
        "fleet/restoring.py",
        "{name} = {name} + {STEP}",
        "{name} = {name}",
        test("tests/points/test_restoring.py::test_the_next_award_has_a_version_that_nobody_has_seen"),
    ),
    Mutation(
        "what was approved after points was set back is reserved before it is spent",
        "services/rewards/reconciler.py",
        "steps = steps[:upto] or (state.settling,)",
        "steps = (state.settling,)",
        test(
            "tests/rewards/test_both_sides.py::TestReconciler::test_what_was_approved_after_points_was_set_back_is_reserved_first"
        ),
    ),
    Mutation(
        "where there is something to restore no empty cluster is made",
        "deploy/local/postgres.py",
        'if data.with_name("data.before").exists() or any(data.with_name("backups").glob("*Z")):',
        "if False:",
        test("tests/local/test_backup.py::test_where_there_is_something_to_restore_no_fresh_cluster_is_made"),
    ),
    Mutation(
        "a dead letter is filed whatever its sender wrote",
        "fleet/dead_letters.py",
        """.replace("\\x00", "?").encode("utf-8", "replace").decode()""",
        "",
        test("tests/faults/test_dead_letters.py::test_what_nobody_would_write_ends_no_desk"),
    ),
    Mutation(
        "a letter that dies again while it is sent round",
        "fleet/dead_letters.py",
        """.on_conflict_do_update(index_elements=["queue", "message_key"], set_={"cause": written.excluded.cause})""",
        ".on_conflict_do_nothing()",
        test("tests/fleet/test_desk.py::test_one_that_dies_again_before_the_desk_has_forgotten_it_is_not_lost"),
    ),
    Mutation(
        "a signed request is good once",
        "services/bot/tools.py",
        "    use_up(key_id, nonce)",
        "    pass",
        test("tests/bot/test_tools.py::TestSignatures::test_a_request_is_good_once"),
    ),
    Mutation(
        "the signature of another bot",
        "services/bot/tools.py",
        '    if not hmac.compare_digest(right.encode(), given.encode("utf-8", "replace")):',
        "    if False:",
        test("tests/bot/test_tools.py::TestSignatures"),
    ),
    Mutation(
        "five minutes for a signature",
        "services/bot/tools.py",
        "    if abs(time.time() - int(stamp)) > TOLERANCE_S:",
        "    if False:",
        test("tests/bot/test_tools.py::TestSignatures::test_one_of_another_time_is_refused"),
    ),
    Mutation(
        "one command under one Idempotency-Key",
        "services/bot/tools.py",
        "        session.execute(select(func.pg_advisory_xact_lock(lock)))",
        "        pass",
        test("tests/bot/test_tools.py::TestOnce::test_under_a_key_the_second_waits_for_the_first"),
    ),
    Mutation(
        "a module nobody planned",
        "services/points/extras.py",
        "",
        '"""Nobody said in which layer this lives."""\n',
        (*CHECK, "imports"),
        "extras",
    ),
]


def copy_of_the_code(target: Path) -> None:
    """The tree as git would see it, with its history: one of the checks reads the log."""
    ignore = shutil.ignore_patterns(
        ".run", ".venv", ".venv.lock", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"
    )
    shutil.copytree(ROOT, target, ignore=ignore, symlinks=True)


def survives(mutation: Mutation, tree: Path) -> str | None:
    """None when the guard's absence is noticed as it should be, else what went wrong."""
    path = tree / mutation.file
    original = path.read_text(encoding="utf-8") if path.exists() else None
    if mutation.old and mutation.old not in (original or ""):
        return "its place in the code was not found: bring tests/mutations.py up to date"
    path.write_text(
        (original or "").replace(mutation.old, mutation.new, 1) if mutation.old else (original or "") + mutation.new
    )
    done = subprocess.run(mutation.command, cwd=tree, capture_output=True, text=True, check=False, timeout=600)
    if original is None:
        path.unlink()
    else:
        path.write_text(original, encoding="utf-8")
    if done.returncode == 0:
        return "nothing noticed that it is gone"
    words = " ".join((done.stdout + done.stderr).split())
    return None if mutation.saying in words else f"it failed without saying {mutation.saying!r}: {words[-300:]}"


def main() -> int:
    """Try every mutation (or those whose guard contains an argument); 1 when one survives."""
    wanted = sys.argv[1:]
    survivors = 0
    with tempfile.TemporaryDirectory(prefix="propel-mutations-") as folder:
        tree = Path(folder) / "propel"
        copy_of_the_code(tree)
        for mutation in MUTATIONS:
            if wanted and not any(word in mutation.guard for word in wanted):
                continue
            wrong = survives(mutation, tree)
            survivors += wrong is not None
            sys.stdout.write(
                f"{'NOT CAUGHT' if wrong else 'caught    '}  {mutation.guard}{': ' + wrong if wrong else ''}\n"
            )
            sys.stdout.flush()
    return 1 if survivors else 0


if __name__ == "__main__":
    raise SystemExit(main())
