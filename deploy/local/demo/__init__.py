"""`make demo`: a week of a student server, played through local Discord into the running fleet, and then recounted.

`week.jsonl` is the script, one event a line (`script` says how to read it, `write_script` made it). `playing` plays it,
`doors` reads the leaderboard as Discord and as REST show it, `recount` says from the script alone what has to be there,
`comparing` puts the three side by side, `__main__` tells the story.

It can be played again and again on the same fleet. Each play is a class of its own: the same people under new Discord
accounts, from the second class on with its number behind their names, because what the first class did would keep the
second from earning (a day counts once, a reaction once an hour). Whoever is on the board before a play, an earlier
class or a newcomer who tried a message, is read there first and has to stand there unchanged afterwards.
"""
