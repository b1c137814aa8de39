"""A small real nextcord bot, run as a program of its own by the tests beside it. ``python bot.py BASE TOKEN``."""

import asyncio
import sys

import nextcord
from nextcord import Interaction, SlashOption
from nextcord.ext import commands
from nextcord.http import Route

Route.BASE = sys.argv[1]
seen: list[str] = []
resumed = 0


class Bot(commands.Bot):
    async def before_identify_hook(self, shard_id, *, initial=False):
        """nextcord waits five seconds before it identifies again; the tests need not."""


bot = Bot(command_prefix="!", intents=nextcord.Intents.all(), guild_ready_timeout=0.1)


class Buttons(nextcord.ui.View):
    def __init__(self):
        super().__init__(timeout=None)

    @nextcord.ui.button(label="Press", custom_id="press")
    async def press(self, _button, interaction: Interaction):
        await interaction.response.edit_message(content=f"pressed by {interaction.user.display_name}")

    @nextcord.ui.button(label="Whisper", custom_id="whisper")
    async def whisper(self, _button, interaction: Interaction):
        await interaction.response.defer(ephemeral=True)
        await interaction.followup.send("for you alone", ephemeral=True)

    @nextcord.ui.string_select(custom_id="colour", options=[nextcord.SelectOption(label=c) for c in ("red", "blue")])
    async def colour(self, select, interaction: Interaction):
        await interaction.response.send_message(f"chose {select.values[0]}")


class Form(nextcord.ui.Modal):
    def __init__(self):
        super().__init__("About you", custom_id="form")
        self.reason = nextcord.ui.TextInput(label="Reason", custom_id="reason", min_length=3)
        self.add_item(self.reason)

    async def callback(self, interaction: Interaction):
        await interaction.response.send_message(f"because {self.reason.value}")


@bot.slash_command(description="Answers at once")
async def ping(interaction: Interaction):
    await interaction.send("pong")


@bot.slash_command(description="Thinks, then answers")
async def think(interaction: Interaction, private: bool = False):
    await interaction.response.defer(ephemeral=private)
    await interaction.edit_original_message(content="thought", embed=nextcord.Embed(title="Result"))
    await interaction.followup.send("and more", ephemeral=private)


@bot.slash_command(description="Answers once more when told to")
async def once_more(interaction: Interaction):
    await interaction.send("waiting")
    await bot.wait_for("message", check=lambda message: message.content == "now")
    try:
        await interaction.followup.send("once more")
    except nextcord.HTTPException as problem:
        await interaction.channel.send(f"refused {problem.status} {problem.code}")


@bot.slash_command(description="Only for you")
async def secret(interaction: Interaction):
    await interaction.send("secret", ephemeral=True)


@bot.slash_command(description="Shows buttons")
async def buttons(interaction: Interaction):
    await interaction.send("press one", view=Buttons())


@bot.slash_command(description="Opens a form")
async def form(interaction: Interaction):
    await interaction.response.send_modal(Form())


@bot.slash_command(description="Answers twice")
async def twice(interaction: Interaction):
    await interaction.response.send_message("first")
    interaction.response._responded = False
    try:
        await interaction.response.send_message("second")
    except nextcord.HTTPException as problem:
        await interaction.followup.send(f"refused {problem.status} {problem.code}")


@bot.slash_command(description="Answers too late")
async def late(interaction: Interaction):
    await asyncio.sleep(3.1)
    try:
        await interaction.response.send_message("too late")
    except nextcord.NotFound as problem:
        await interaction.channel.send(f"refused {problem.status} {problem.code}")


@bot.slash_command(description="Sends a file and a DM")
async def report(interaction: Interaction, who: nextcord.Member, file: nextcord.Attachment):
    data = await file.read()
    await interaction.send(f"{who.display_name}: {len(data)} bytes", file=nextcord.File(__file__, "bot.txt"))
    try:
        await who.send("a direct message")
    except nextcord.Forbidden as problem:
        await interaction.followup.send(f"refused {problem.status} {problem.code}")


@bot.slash_command(description="Completes what is typed")
async def pick(
    interaction: Interaction,
    fruit: str = SlashOption(description="Which", autocomplete=True),
    count: int = SlashOption(description="How many", min_value=1, max_value=9, default=1),
):
    await interaction.send(f"{count} {fruit}")


@pick.on_autocomplete("fruit")
async def complete(interaction: Interaction, fruit: str):
    await interaction.response.send_autocomplete([f for f in ("apple", "apricot", "plum") if f.startswith(fruit)])


@bot.event
async def on_resumed():
    global resumed
    resumed += 1


@bot.event
async def on_member_join(member):
    await member.send(f"welcome {member.display_name}")


@bot.event
async def on_message(message):
    if message.author != bot.user:
        seen.append(message.content)
        await bot.process_commands(message)


@bot.command()
async def told(context, prefix: str):
    await context.reply(f"{resumed} " + " ".join(text for text in seen if text.startswith(prefix)))


@bot.command()
async def count(context):
    await context.send(f"{len(context.guild.members)} of {context.guild.member_count} members")


@bot.command()
async def say(context, *, text: str):
    await context.send(text)


@bot.event
async def on_raw_reaction_add(event):
    await bot.get_channel(event.channel_id).send(f"{event.emoji} by {event.member.display_name}")


bot.run(sys.argv[2])
