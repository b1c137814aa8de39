"""Days, weeks and months of the programme's zone (`PROGRAM_TIMEZONE`); weeks begin on Monday."""

from datetime import date, datetime, timedelta

from fleet.settings import ProgramSettings, read


def programme_day(moment: datetime) -> date:
    """The programme day an instant belongs to."""
    return moment.astimezone(read(ProgramSettings).zone).date()


def week_of(day: date) -> date:
    """The Monday of the day's week."""
    return day - timedelta(days=day.weekday())


def month_of(day: date) -> date:
    """The first of the day's month."""
    return day.replace(day=1)
