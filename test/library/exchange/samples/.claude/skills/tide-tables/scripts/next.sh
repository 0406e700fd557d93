#!/bin/sh
echo "high water at noon"
