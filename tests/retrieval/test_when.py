"""Time words in questions: which days they are read as, and what is left alone."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.when import Window, stated_days, window, without

TODAY = date(2025, 11, 19)  # a Wednesday


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


READ = """
What happened today?                            | 2025-11-19 | 2025-11-19 | today
What did Putin say yesterday?                   | 2025-11-18 | 2025-11-19 | yesterday
What did Trump say this morning?                | 2025-11-19 | 2025-11-19 | this morning
Who is playing TONIGHT?                         | 2025-11-19 | 2025-11-19 | TONIGHT
Who was hit last night?                         | 2025-11-18 | 2025-11-19 | last night
Who resigned the day before yesterday?          | 2025-11-17 | 2025-11-19 | the day before yesterday
What changed earlier today?                     | 2025-11-19 | 2025-11-19 | earlier today
What changed earlier this week?                 | 2025-11-12 | 2025-11-19 | earlier this week
What happened in Gaza this week?                | 2025-11-12 | 2025-11-19 | this week
What happened in Gaza last week?                | 2025-11-10 | 2025-11-19 | last week
What did the IMF say in the past week?          | 2025-11-12 | 2025-11-19 | in the past week
What changed this month?                        | 2025-11-01 | 2025-11-19 | this month
How many people died last month?                | 2025-10-01 | 2025-11-19 | last month
What happened last year in Sudan?               | 2024-01-01 | 2025-11-19 | last year
What sold in the past two years?                | 2023-11-19 | 2025-11-19 | in the past two years
What grew this quarter?                         | 2025-10-01 | 2025-11-19 | this quarter
What grew last quarter?                         | 2025-07-01 | 2025-11-19 | last quarter
Who won last weekend?                           | 2025-11-15 | 2025-11-19 | last weekend
Who won this weekend?                           | 2025-11-15 | 2025-11-19 | this weekend
Who played over the weekend?                    | 2025-11-15 | 2025-11-19 | over the weekend
In the past 3 days, what happened?              | 2025-11-16 | 2025-11-19 | In the past 3 days
What happened in the last two weeks?            | 2025-11-05 | 2025-11-19 | in the last two weeks
What happened over the past three weeks?        | 2025-10-29 | 2025-11-19 | over the past three weeks
What happened in the past 6 months?             | 2025-05-19 | 2025-11-19 | in the past 6 months
Who died in the last couple of days?            | 2025-11-16 | 2025-11-19 | in the last couple of days
What moved in the past 24 hours?                | 2025-11-18 | 2025-11-19 | in the past 24 hours
What did he say 3 days ago?                     | 2025-11-16 | 2025-11-19 | 3 days ago
What did he say two weeks ago?                  | 2025-11-02 | 2025-11-19 | two weeks ago
What happened a week ago in Kyiv?               | 2025-11-09 | 2025-11-19 | a week ago
What did he say a few days ago?                 | 2025-11-14 | 2025-11-19 | a few days ago
What did he say 2 months ago?                   | 2025-09-04 | 2025-11-19 | 2 months ago
What was signed two years ago?                  | 2023-05-20 | 2025-11-19 | two years ago
What did Russia demand in May 2025?             | 2025-05-01 | 2025-06-07 | in May 2025
WHAT DID RUSSIA DEMAND IN MAY 2025?             | 2025-05-01 | 2025-06-07 | IN MAY 2025
what did russia demand in may?                  | 2025-05-01 | 2025-06-07 | in may
What happened in December?                      | 2024-12-01 | 2025-01-07 | in December
What came out of the May 2025 talks?            | 2025-05-01 | 2025-06-07 | May 2025
What was said in Sept. 2025?                    | 2025-09-01 | 2025-10-07 | in Sept. 2025
Who resigned last May?                          | 2025-05-01 | 2025-06-07 | last May
Who resigned last November?                     | 2024-11-01 | 2024-12-07 | last November
Who resigned in November last year?             | 2024-11-01 | 2024-12-07 | in November last year
Who resigned on Tuesday of last week?           | 2025-11-11 | 2025-11-19 | on Tuesday of last week
Who resigned a week ago today?                  | 2025-11-12 | 2025-11-19 | a week ago today
What was decided in November 2025?              | 2025-11-01 | 2025-11-19 | in November 2025
Who met on 16 May 2025?                         | 2025-05-16 | 2025-05-18 | on 16 May 2025
Who met on 18 November 2025?                    | 2025-11-18 | 2025-11-19 | on 18 November 2025
Who met on May 16, 2025 in Istanbul?            | 2025-05-16 | 2025-05-18 | on May 16, 2025
Who met on Friday, 16 May 2025?                 | 2025-05-16 | 2025-05-18 | on Friday, 16 May 2025
Who met May 16?                                 | 2025-05-16 | 2025-05-18 | May 16
Who met on the 16th of May?                     | 2025-05-16 | 2025-05-18 | on the 16th of May
Who met on 16 May in Istanbul?                  | 2025-05-16 | 2025-05-18 | on 16 May
16 July: who met?                               | 2025-07-16 | 2025-07-18 | 16 July
Who met on 2025-05-16?                          | 2025-05-16 | 2025-05-18 | on 2025-05-16
16.05.2025 news                                 | 2025-05-16 | 2025-05-18 | 16.05.2025
Who met on 05/16/2025?                          | 2025-05-16 | 2025-05-18 | on 05/16/2025
Who was born on 29 February?                    | 2024-02-29 | 2024-03-02 | on 29 February
What was tried on September 11, 2025?           | 2025-09-11 | 2025-09-13 | on September 11, 2025
Who met May 3-5, 2025?                          | 2025-05-03 | 2025-05-07 | May 3-5, 2025
Who met 3-5 May 2025?                           | 2025-05-03 | 2025-05-07 | 3-5 May 2025
What happened in 2024?                          | 2024-01-01 | 2025-01-31 | in 2024
What happened in 2025?                          | 2025-01-01 | 2025-11-19 | in 2025
What did Theresa May say in 2024?               | 2024-01-01 | 2025-01-31 | in 2024
What happened in 2024 and 2025?                 | 2024-01-01 | 2025-11-19 | in 2024 and 2025
What happened in 2023 and 2024?                 | 2023-01-01 | 2025-01-31 | in 2023 and 2024
What has changed since May 2025?                | 2025-05-01 |            | since May 2025
What has changed since Monday?                  | 2025-11-17 |            | since Monday
What has changed since the start of 2025?       | 2025-01-01 |            | since the start of 2025
What has changed since last week?               | 2025-11-10 |            | since last week
What had changed before last week?              |            | 2025-11-09 | before last week
What held until last week?                      |            | 2025-11-16 | until last week
What did Kyiv say after 16 May?                 | 2025-05-17 |            | after 16 May
What did Kyiv say before 16 May?                |            | 2025-05-15 | before 16 May
What held until June 2024?                      |            | 2024-06-30 | until June 2024
Who met between May and July 2025?              | 2025-05-01 | 2025-07-31 | between May and July 2025
Who met between November and February?          | 2024-11-01 | 2025-02-28 | between November and February
Who met from 3 to 10 May 2025?                  | 2025-05-03 | 2025-05-10 | from 3 to 10 May 2025
Who met from May 3 to 10, 2025?                 | 2025-05-03 | 2025-05-10 | from May 3 to 10, 2025
Who met from 3 weeks ago to 1 week ago?         | 2025-10-26 | 2025-11-12 | from 3 weeks ago to 1 week ago
Who met from 3 May 2025 to June?                | 2025-05-03 | 2025-06-30 | from 3 May 2025 to June
Who met from May 2025 to today?                 | 2025-05-01 | 2025-11-19 | from May 2025 to today
Who ruled between 2022 and 2024?                | 2022-01-01 | 2024-12-31 | between 2022 and 2024
Who ruled May–July 2025?                        | 2025-05-01 | 2025-08-14 | May–July 2025
What did he say on Tuesday?                     | 2025-11-18 | 2025-11-19 | on Tuesday
Who said on Tuesday that he will resign?        | 2025-11-18 | 2025-11-19 | on Tuesday
What did Will Smith say on Tuesday?             | 2025-11-18 | 2025-11-19 | on Tuesday
What did he say Tuesday about rates?            | 2025-11-18 | 2025-11-19 | Tuesday
What did he say on Wednesday?                   | 2025-11-19 | 2025-11-19 | on Wednesday
What did he say last Wednesday?                 | 2025-11-12 | 2025-11-19 | last Wednesday
What did he say last Friday?                    | 2025-11-14 | 2025-11-19 | last Friday
Who was hit on Tuesday night?                   | 2025-11-18 | 2025-11-19 | on Tuesday night
What did he say on Monday about Tuesday's hit?  | 2025-11-18 | 2025-11-19 | Tuesday
What did the Sunday Times say on Sunday?        | 2025-11-16 | 2025-11-19 | on Sunday
Did Black Friday sales fall last month?         | 2025-10-01 | 2025-11-19 | last month
Which show of last May was dropped this week?    | 2025-11-12 | 2025-11-19 | this week
Who burned this spring?                         | 2025-03-01 | 2025-11-19 | this spring
Who burned this summer?                         | 2025-06-01 | 2025-11-19 | this summer
Who burned this autumn?                         | 2025-09-01 | 2025-11-19 | this autumn
Who burned last summer?                         | 2025-06-01 | 2025-11-19 | last summer
Who burned last winter?                         | 2024-12-01 | 2025-11-19 | last winter
Who burned in the summer of 2024?               | 2024-06-01 | 2024-09-14 | in the summer of 2024
What grew in the second quarter of 2024?        | 2024-04-01 | 2024-07-14 | in the second quarter of 2024
What were the Q3 2025 results?                  | 2025-07-01 | 2025-10-14 | Q3 2025
What grew in the first half of 2025?            | 2025-01-01 | 2025-07-14 | in the first half of 2025
Who met in early May 2025?                      | 2025-05-01 | 2025-05-17 | in early May 2025
Who met in mid-May 2025?                        | 2025-05-11 | 2025-05-27 | in mid-May 2025
Who met in late May 2025?                       | 2025-05-21 | 2025-06-07 | in late May 2025
Who ruled at the end of 2024?                   | 2024-09-01 | 2025-01-14 | at the end of 2024
Who ruled early this year?                      | 2025-01-01 | 2025-11-19 | early this year
"""


@pytest.mark.parametrize("row", READ.strip().splitlines())
def test_time_words_are_read_as_the_days_of_reports(row: str) -> None:
    question, since, until, words = (cell.strip() for cell in row.split("|"))
    assert window(question, TODAY) == Window(_day(since), _day(until), words)


@pytest.mark.parametrize(
    "question",
    [
        "",
        "Who leads Hungary?",
        "may Russia withdraw?",
        "What did Theresa May say?",
        "What did May say?",
        "Who led the march on Washington?",
        "Who founded March for Our Lives?",
        "Who owns the Sunday Times?",
        "Who writes for the Mail on Sunday?",
        "What is Black Friday?",
        "what do shops earn on black friday?",
        "What is Good Friday?",
        "Who won Super Tuesday?",
        "Who plays Saturday Night Live?",
        "What was Operation 2024?",
        "Who won the 2024 election?",
        "Who won in the 2024 election?",
        "What is Agenda 2030?",
        "Who flew on Apollo 11?",
        "Who spoke to the class of 2024?",
        "Were 2,024 people hurt?",
        "Were they hurt in 2,024 cases?",
        "What costs $2025?",
        "What happens next year?",
        "What happens next week?",
        "What happens next Friday?",
        "Who votes tomorrow?",
        "What will be banned in 2030?",
        "What is allowed until 2030?",
        "What happened recently?",
        "What are the most recent talks?",
        "Who ruled in the 1990s?",
        "Which party was founded in 1974?",
        "Who was born in 1990?",
        "Which borders held since 1945?",
        "What happened 50 years ago?",
        "What did the January 6 committee find?",
        "What caused the Jan. 6 attack?",
        "What happened on October 7?",
        "Who planned the Sept. 11 attacks?",
        "Who starred in “Three Days of May 2025”?",
        'Who sang in "Saturday Night"?',
        "Who edits The Week?",
        "Who spoke on the last two days of the conference?",
        "Who met on 05/06/2025?",
        "Who met on 31 June 2025?",
        "Who skis this winter?",
    ],
)
def test_words_that_name_no_days_are_left_alone(question: str) -> None:
    assert window(question, TODAY) is None


@pytest.mark.parametrize(
    ("question", "left"),
    [
        ("What did Russia demand in May 2025?", "What did Russia demand?"),
        ("In the past 3 days, what happened?", "what happened?"),
        ("What happened last year in Sudan?", "What happened in Sudan?"),
        ("What was said at the meeting of 16 May 2025?", "What was said at the meeting?"),
        ("What is in this week's news?", "What is news?"),
        ("What did 'last week' earn last week?", "What did 'last week' earn?"),
        ("yesterday?", "yesterday?"),
    ],
)
def test_the_time_words_are_taken_out_for_searching(question: str, left: str) -> None:
    found = window(question, TODAY)
    assert found
    assert without(question, found) == left


def test_a_window_of_another_question_changes_nothing() -> None:
    assert without("Who won?", Window(TODAY, TODAY, "today")) == "Who won?"


_VOCABULARY = """
since until before after between and from to in on the of last this past next two 3 31 29 999 days weeks ago
years months May may March February Monday Friday 2024 2025 1990 2030 2025-02-31 30.02.2025 quarter second early
end summer winter weekend yesterday today week's week ending through till will earlier ' " “ ” , ? - – attack won in
"""
_WORDS = st.sampled_from(_VOCABULARY.split())
_QUESTIONS = st.text() | st.lists(_WORDS, max_size=9).map(" ".join) | st.lists(_WORDS, max_size=5).map("".join)


@settings(deadline=None)
@given(_QUESTIONS, st.dates())
def test_any_text_gives_a_sensible_window_or_none(question: str, today: date) -> None:
    found = window(question, today)
    if found is None:
        return
    assert found.words in question
    assert found.since or found.until
    assert (found.since or date.min) <= min(found.until or today, today)
    assert found.until is None or found.until <= today
    left = without(question, found)
    assert left
    assert len(left) <= len(question)


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("The strike began on 3 May.", [(date(2025, 5, 3), "3 May")]),
        ("The strike began on May 3, 2024.", [(date(2024, 5, 3), "May 3, 2024")]),
        ("The festival opens on 10 June.", [(date(2025, 6, 10), "10 June")]),  # the nearest, not last year's
        ("The strike began on Thursday.", [(date(2025, 5, 15), "Thursday")]),
        ("The strike will begin on Thursday.", []),  # a weekday ahead
        ("The strike began last Thursday.", []),  # of this week or the one before?
        ("It ran from 3 to 10 May, and in June.", []),
    ],
)
def test_days_that_a_report_states(sentence: str, expected: list[tuple[date, str]]) -> None:
    assert list(stated_days(sentence, date(2025, 5, 16))) == expected
