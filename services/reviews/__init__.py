"""reviews: resume reviews from "tue or thu after 4" to a session that both sides have in their calendars.

Owns professionals and their availability, review requests, sessions, feedback, resumes and what forms send.
Publishes reviews.review_requested, review_matched, session_scheduled, session_rescheduled, session_cancelled,
session_completed, session_no_show, review_cancelled, session_reminder_due, feedback_given.
Hears of members' names and addresses and of merges from users; commands and questions from the bot.
"""
