"""The child process that reads the beginnings of files in the supervisor's place, many at once, so that only it can hang.

It runs by its path with nothing but the standard library. Each line of its input is a JSON list of a number and a
path; each line of its output is a JSON list of that number, the bytes read, and an errno or 0. It ends with its
input, at once: what is still being read is left.
"""

import json
import os
import queue
import sys
import threading

MOST_THREADS = 256


def read_beginning(path: str, length: int) -> int:
    """Read the first *length* bytes of *path* and return how many there were."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        # Else the kernel reads ahead of what is wanted, and each such byte comes from the remote.
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
        done = 0
        while done < length and (part := os.pread(descriptor, length - done, done)):
            done += len(part)
        return done
    finally:
        os.close(descriptor)


def work(todo: "queue.SimpleQueue[bytes]", length: int) -> None:
    """Read one file after the other; a line to a pipe is written whole."""
    while True:
        number, path = json.loads(todo.get())
        try:
            answer = [number, read_beginning(path, length), 0]
        except OSError as error:
            answer = [number, 0, error.errno or 5]
        except ValueError:  # a name that no file can have
            answer = [number, 0, 22]
        os.write(1, json.dumps(answer).encode() + b"\n")


def main() -> None:
    """Take paths until the input ends; one thread for each that is outstanding, up to a bound."""
    length = int(sys.argv[1])
    os.chdir("/")  # a working directory on the storage would hold the process there
    os.closerange(3, 4096)
    threading.stack_size(256 * 1024)
    todo: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threads, most = 0, MOST_THREADS
    for line in sys.stdin.buffer:
        todo.put(line)
        if threads < most and todo.qsize() > 0:
            try:
                threading.Thread(target=work, args=(todo, length), daemon=True).start()
            except RuntimeError:  # a limit of this machine: those that are there do the rest
                most = threads
                if not threads:
                    raise
            else:
                threads += 1
    os._exit(0)  # threads that hang in the storage would hold the exit


if __name__ == "__main__":
    main()
