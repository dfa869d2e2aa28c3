"""What is sent where no file is given."""

PROMPTS = ("ROMEO:",)
TEXTS = (
    "A warm, funny and beautifully acted film.",
    "A dull and lifeless mess.",
    "The story is not good.",
    "One of the best movies of the year, and one of the strangest.",
)
SENTENCES = ("I love you.", "Where is the station?", "She does not speak French.", "We are going to the market today.")
