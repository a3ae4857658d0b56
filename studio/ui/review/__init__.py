"""The Review page: sessions, the room with its fast screen, and the minutes."""
