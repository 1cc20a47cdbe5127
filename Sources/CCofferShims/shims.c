#include "CCofferShims.h"
