"""The page behind a professional's link: a form for their notes, without an account and without anything from elsewhere."""

import secrets
from html import escape

from flask import Response

PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Notes on a resume review</title>
<meta name="viewport" content="width=device-width"><meta name="robots" content="noindex"></head>
<body style="font-family: sans-serif; line-height: 1.5; max-width: 36em; margin: 2em auto; padding: 0 1em; color: #222">
<h1>Notes on the resume review with {student}</h1>
<form id="notes">
<p><label for="text">What did you tell them?</label><br>
<textarea id="text" rows="10" maxlength="10000" style="width: 100%" required></textarea></p>
<p><label>How did it end? <select id="outcome"><option value="completed">It took place</option>
<option value="no_show">Nobody came</option></select></label></p>
<p><button>Send</button></p></form>
<p id="said" role="status"></p>
<script nonce="{nonce}">
const form = document.getElementById("notes"), said = document.getElementById("said");
form.addEventListener("submit", async (event) => {{
  event.preventDefault();
  const body = {{token: new URLSearchParams(location.search).get("token"),
    notes: document.getElementById("text").value, outcome: document.getElementById("outcome").value}};
  const answer = await fetch(location.pathname, {{method: "POST",
    headers: {{"Content-Type": "application/json"}}, body: JSON.stringify(body)}});
  if (answer.ok) {{ form.remove(); said.textContent = "Thank you, your notes are kept."; }}
  else {{ said.textContent = (await answer.json()).detail; }}
}});
</script></body></html>
"""


def page(student: str) -> Response:
    """The page for the notes on a student's session."""
    nonce = secrets.token_urlsafe(16)
    answer = Response(PAGE.format(student=escape(student), nonce=nonce), content_type="text/html; charset=utf-8")
    policy = f"default-src 'none'; script-src 'nonce-{nonce}'; connect-src 'self'; style-src 'unsafe-inline'; base-uri 'none'"
    answer.headers["Content-Security-Policy"] = policy + "; frame-ancestors 'none'; form-action 'none'"
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["Cache-Control"] = "no-store"
    return answer
