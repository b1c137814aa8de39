"""A nextcord bot that shows what a chat page must be able to draw, as a program. ``python bot.py BASE TOKEN``."""

import io
import struct
import sys
import zlib

import nextcord
from nextcord import Interaction, SlashOption
from nextcord.ext import commands
from nextcord.http import Route

Route.BASE = sys.argv[1]


class Bot(commands.Bot):
    async def before_identify_hook(self, shard_id, *, initial=False):
        """nextcord waits five seconds before it identifies again; the tests need not."""


bot = Bot(command_prefix="!", intents=nextcord.Intents.all(), guild_ready_timeout=0.1)


def picture(width: int, height: int, red: int, green: int, blue: int) -> bytes:
    """A PNG of one colour that fades to the right."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = b"\0" + b"".join(bytes((red, green * x // width, blue)) for x in range(width))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(row * height))
        + chunk(b"IEND", b"")
    )


class Buttons(nextcord.ui.View):
    def __init__(self):
        super().__init__(timeout=None)
        self.add_item(nextcord.ui.Button(label="Documentation", url="http://127.0.0.1:9/"))

    @nextcord.ui.button(label="Approve", custom_id="approve", style=nextcord.ButtonStyle.success, emoji="✅")
    async def approve(self, _button, interaction: Interaction):
        await interaction.response.edit_message(content=f"approved by {interaction.user.display_name}")

    @nextcord.ui.button(label="Whisper", custom_id="whisper", style=nextcord.ButtonStyle.primary)
    async def whisper(self, _button, interaction: Interaction):
        await interaction.response.send_message("for you alone", ephemeral=True)

    @nextcord.ui.button(label="Form", custom_id="open", style=nextcord.ButtonStyle.secondary)
    async def open(self, _button, interaction: Interaction):
        await interaction.response.send_modal(Form())

    @nextcord.ui.button(label="Sleeps", custom_id="sleeps", style=nextcord.ButtonStyle.danger)
    async def sleeps(self, _button, interaction: Interaction):
        """Never answers."""

    @nextcord.ui.button(label="Sold out", custom_id="off", disabled=True, row=1)
    async def off(self, _button, interaction: Interaction): ...

    @nextcord.ui.button(emoji="🎉", custom_id="party", row=1)
    async def party(self, _button, interaction: Interaction):
        await interaction.response.defer()
        await interaction.message.edit(content="party!")


class Menus(nextcord.ui.View):
    def __init__(self):
        super().__init__(timeout=None)

    @nextcord.ui.string_select(
        custom_id="colour",
        placeholder="Pick a colour",
        options=[nextcord.SelectOption(label=one, description=f"the colour {one}") for one in ("red", "green", "blue")],
    )
    async def colour(self, select, interaction: Interaction):
        await interaction.response.send_message(f"colour {select.values[0]}")

    @nextcord.ui.string_select(
        custom_id="toppings",
        placeholder="Up to two toppings",
        min_values=0,
        max_values=2,
        options=[nextcord.SelectOption(label=one, emoji="🍕") for one in ("olives", "basil", "garlic")],
    )
    async def toppings(self, select, interaction: Interaction):
        await interaction.response.send_message(f"toppings {' and '.join(sorted(select.values))}")

    @nextcord.ui.user_select(custom_id="whom", placeholder="Whom")
    async def whom(self, select, interaction: Interaction):
        await interaction.response.send_message(f"whom {select.values[0].display_name}")


class Form(nextcord.ui.Modal):
    def __init__(self):
        super().__init__("Other points", custom_id="points")
        self.points = nextcord.ui.TextInput(label="Points", custom_id="points", max_length=3, placeholder="1 to 999")
        self.notes = nextcord.ui.TextInput(
            label="Notes",
            custom_id="notes",
            style=nextcord.TextInputStyle.paragraph,
            required=False,
            min_length=5,
            max_length=500,
        )
        self.add_item(self.points)
        self.add_item(self.notes)

    async def callback(self, interaction: Interaction):
        await interaction.response.send_message(f"{self.points.value} points: {self.notes.value or 'no notes'}")


@bot.slash_command(description="Shows buttons of every style")
async def buttons(interaction: Interaction):
    await interaction.send("press one", view=Buttons())


@bot.slash_command(description="Shows menus to choose from")
async def menus(interaction: Interaction):
    await interaction.send("choose", view=Menus())


@bot.slash_command(description="Opens a form")
async def form(interaction: Interaction):
    await interaction.response.send_modal(Form())


@bot.slash_command(description="Tells you something nobody else sees")
async def secret(interaction: Interaction):
    await interaction.send("**just** between us", ephemeral=True)


@bot.slash_command(description="Thinks until somebody says now")
async def think(interaction: Interaction):
    await interaction.response.defer()
    await bot.wait_for("message", check=lambda message: message.content == "now")
    await interaction.edit_original_message(content="thought it through")


@bot.slash_command(description="Never answers")
async def silent(interaction: Interaction): ...


@bot.slash_command(description="For who may manage the server", default_member_permissions=32)
async def arrange(interaction: Interaction):
    await interaction.send("arranged", ephemeral=True)


@bot.slash_command(description="Orders fruit")
async def pick(
    interaction: Interaction,
    fruit: str = SlashOption(description="Which fruit", autocomplete=True),
    size: str = SlashOption(description="How large", choices=["small", "large"]),
    count: int = SlashOption(description="How many", min_value=1, max_value=9, default=1),
    whom: nextcord.Member = SlashOption(description="For whom", default=None),
    wrapped: bool = SlashOption(description="As a gift", default=False),
):
    await interaction.send(f"{count} {size} {fruit} for {whom.display_name if whom else 'nobody'} {wrapped}")


@pick.on_autocomplete("fruit")
async def complete(interaction: Interaction, fruit: str):
    fruits = ("apple", "apricot", "banana", "plum")
    await interaction.response.send_autocomplete([one for one in fruits if one.startswith(fruit.lower())])


@bot.slash_command(description="Takes a file")
async def hand_in(interaction: Interaction, what: str, file: nextcord.Attachment):
    data = await file.read()
    await interaction.send(f"{what}: {file.filename}, {file.content_type}, {len(data)} bytes")


@bot.slash_command(description="Groups commands")
async def team(interaction: Interaction): ...


@team.subcommand(description="Greets the team")
async def greet(interaction: Interaction, word: str = SlashOption(description="What to say", default="Hello")):
    await interaction.send(f"{word}, team")


def card() -> nextcord.Embed:
    """An embed with everything in it."""
    about = "A **report** on `everything`, [with a link](http://127.0.0.1:9/report), due <t:1790000000:R>."
    shown = nextcord.Embed(title="Weekly report", description=about, colour=0x00B37E, timestamp=nextcord.utils.utcnow())
    shown.set_author(name="The committee")
    for name, value in (("Points", "**120**"), ("Rank", "#4"), ("Streak", "3 days in a row")):
        shown.add_field(name=name, value=value, inline=True)
    shown.add_field(name="Next", value="- hand in a resource\n- answer somebody", inline=False)
    shown.set_footer(text="Counted on Monday")
    shown.set_thumbnail(url="attachment://small.png")
    shown.set_image(url="attachment://large.png")
    return shown


@bot.slash_command(description="Shows a card")
async def report(interaction: Interaction):
    small, large = picture(80, 80, 200, 80, 120), picture(480, 160, 40, 140, 220)
    files = [nextcord.File(io.BytesIO(small), "small.png"), nextcord.File(io.BytesIO(large), "large.png")]
    await interaction.send(embed=card(), files=files)


@bot.event
async def on_member_join(member):
    await member.send(f"Welcome, **{member.display_name}**! Write something in any channel.")


@bot.event
async def on_raw_message_edit(payload):
    """Says so when a member edits; its own edits it knows."""
    if payload.data.get("author", {}).get("id") != str(bot.user.id):
        await bot.get_channel(payload.channel_id).get_partial_message(payload.message_id).add_reaction("📝")


@bot.command()
async def say(context, *, text: str):
    await context.reply(text)


@bot.command()
async def show(context, *, text: str):
    """What is said, in every place of an embed and on a button."""
    shown = nextcord.Embed(title=text[:256], description=text, url="http://127.0.0.1:9/")
    shown.set_author(name=text[:256])
    shown.add_field(name=text[:256], value=text[:1024])
    shown.set_footer(text=text)
    view = nextcord.ui.View(timeout=None)
    view.add_item(nextcord.ui.Button(label=text[:80], custom_id="x"))
    view.add_item(nextcord.ui.StringSelect(custom_id="y", options=[nextcord.SelectOption(label=text[:100])]))
    await context.send(text, embed=shown, view=view)


@bot.command()
async def draft(context):
    """Writes, then edits, then deletes, each when somebody says so."""
    made = await context.send("a first draft")
    await bot.wait_for("message", check=lambda message: message.content == "better")
    await made.edit(content="a second draft")
    await bot.wait_for("message", check=lambda message: message.content == "away")
    await made.delete()


bot.run(sys.argv[2])
