"""Answers `!ping`, in every room that this machine is a member of and to every peer."""

import json
import subprocess


def main() -> None:
    """Answer until interrupted, or until there is no peerterm to follow."""
    follow = ["peerterm", "chat", "follow", "--json"]
    with subprocess.Popen(follow, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout
        for line in following.stdout:
            message = json.loads(line)
            if message["state"] == "received" and message["text"].strip() == "!ping":  # not what we said ourselves
                answer = f"{message['sender_name']}: pong"
                send = ["peerterm", "chat", "send", "--quiet", "--", message["conversation"], answer]
                subprocess.run(send, stdout=subprocess.DEVNULL, check=False)


if __name__ == "__main__":
    main()
