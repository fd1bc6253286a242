#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# In a guest of vm_disk.py: reads "NUMBER BASE64-OF-A-SCRIPT" lines from the second serial port, runs each script, and answers
# "begin NUMBER STATUS", its output in base64 and "end NUMBER".
port=/dev/ttyS1
stty -F $port raw -echo
exec <> $port >&0
echo 'driver ready'
while read -r number word; do
  printf '%s' "$word" | base64 -d > /run/driver.script
  sh /run/driver.script > /run/driver.output 2>&1 < /dev/null
  echo "begin $number $?"
  base64 /run/driver.output
  echo "end $number"
done
