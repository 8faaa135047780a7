"""A command in Python that has its counting done by a component in another language."""

from wit_world import exports
from wit_world.imports import words
from componentize_py_types import Err

TEXT = "a rose is a rose is a rose — sagte Gertrude, sagte sie ☂"


class Run(exports.Run):
    def run(self) -> None:
        for word in words.most_frequent(TEXT, 4):
            print(f"{word.count} {word.text}")
        with words.Index(TEXT) as index:
            print(index.find("rose"), index.find("☂"))
            try:
                index.find("tulip")
            except Err as error:
                print("none:", error.value)
