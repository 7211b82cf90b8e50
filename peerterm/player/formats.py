"""What may be inside a stream, for players built on FFmpeg.

A peer says what a file is called and what is in it; a playlist called ``film.mkv`` would make a player open
whatever addresses it names, or itself without end. So players are told which formats they may open, none of
which refers to anything else, and that they may open them over HTTP alone. Called by ``player.mpv`` and
``player.other``.
"""

from __future__ import annotations

PROTOCOLS = "http,tcp"
"""Of FFmpeg; the second carries the first."""

FORMATS = (
    "aac,ac3,aiff,amr,ape,asf,ass,avi,caf,dsf,dts,dtshd,eac3,flac,flv,gif,matroska,mov,mp3,mpc,mpc8,mpeg,mpegts,"
    "mpegvideo,nut,ogg,rm,srt,tak,truehd,tta,w64,wav,webvtt,wv,xwma"
)
"""Of FFmpeg's demuxers those of common films, songs and subtitles; above all not concat, dash, hls, imf and sdp."""
